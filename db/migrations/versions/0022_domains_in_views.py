"""Column `domain` of the views `accepted` and `lineage`.

Revision ID: 0022
Revises: 0021

It is the last column: PostgreSQL replaces a view only if the columns it had stay as they were.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

ROOT_KEY = {
    "sqlite": "substr(c.key, 1, instr(c.key || '/e', '/e') - 1)",
    "postgresql": "split_part(c.key, '/e', 1)",
}
ACCEPTED = """
VIEW accepted AS
SELECT c.id, c.run_id, l.name AS label, c.key, c.origin, c.round, c.parent_id, c.seed,
       c.prompt_text AS prompt, c.caption, c.object_count, c.width_px, c.height_px, c.sha256,
       (SELECT s.value FROM score s
        WHERE s.candidate_id = c.id AND s.name = 'clip_similarity') AS clip_similarity{domain}
FROM candidate c JOIN label l ON l.id = c.label_id JOIN batch b ON b.id = c.batch_id
WHERE c.verdict = 'accepted'
"""
LINEAGE = """
VIEW lineage AS
SELECT c.id, c.run_id, l.name AS label, c.key, c.origin, c.round, c.seed, c.prompt_text AS prompt,
       s.background, s.description AS scene, p.label AS placed, p.relationship_text AS placed_where,
       c.verdict, c.reason,
       parent.id AS parent_id, parent.origin AS parent_origin, parent.prompt_text AS parent_prompt,
       root.id AS root_id, root.prompt_text AS root_prompt{domain}
FROM candidate c
JOIN label l ON l.id = c.label_id
JOIN batch b ON b.id = c.batch_id
LEFT JOIN scene s ON s.id = c.scene_id
LEFT JOIN placement p ON p.id = c.placement_id
LEFT JOIN candidate parent ON parent.id = c.parent_id
LEFT JOIN candidate root ON root.label_id = c.label_id AND root.key = {root_key}
"""


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        _drop()
    how = "CREATE" if dialect == "sqlite" else "CREATE OR REPLACE"
    _create(how, ", b.domain")


def downgrade() -> None:
    _drop()
    _create("CREATE", "")


def _drop() -> None:
    for view in ("lineage", "accepted"):
        op.execute(f"DROP VIEW {view}")


def _create(how: str, domain: str) -> None:
    root_key = ROOT_KEY[op.get_bind().dialect.name]
    op.execute(how + ACCEPTED.format(domain=domain))
    op.execute(how + LINEAGE.format(domain=domain, root_key=root_key))
