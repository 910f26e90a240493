"""LLM calls, views and indexes for queries, and the refilter history.

Revision ID: 0003
Revises: 0002

Batch mode on SQLite rebuilds a table to drop or alter a column. A migration that does this to
`candidate` must first drop the views and the triggers of `caption_text`, then create them again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROOT_KEY = {
    "sqlite": "substr(c.key, 1, instr(c.key || '/e', '/e') - 1)",
    "postgresql": "split_part(c.key, '/e', 1)",
}
"""The key of the initial image that a candidate descends from: "b0/g3" of "b0/g3/e1/f0"."""

ACCEPTED = """
CREATE VIEW accepted AS
SELECT c.id, c.run_id, l.name AS label, c.key, c.origin, c.round, c.parent_id, c.seed,
       c.prompt_text AS prompt, c.caption, c.object_count, c.width_px, c.height_px, c.sha256,
       (SELECT s.value FROM score s
        WHERE s.candidate_id = c.id AND s.name = 'clip_similarity') AS clip_similarity
FROM candidate c JOIN label l ON l.id = c.label_id
WHERE c.verdict = 'accepted'
"""
FUNNEL = """
CREATE VIEW funnel AS
SELECT c.run_id, l.name AS label, c.origin, c.verdict, c.reason, count(*) AS candidates
FROM candidate c JOIN label l ON l.id = c.label_id
GROUP BY c.run_id, l.name, c.origin, c.verdict, c.reason
"""
LINEAGE = """
CREATE VIEW lineage AS
SELECT c.id, c.run_id, l.name AS label, c.key, c.origin, c.round, c.seed, c.prompt_text AS prompt,
       s.background, s.description AS scene, p.label AS placed, p.relationship_text AS placed_where,
       c.verdict, c.reason,
       parent.id AS parent_id, parent.origin AS parent_origin, parent.prompt_text AS parent_prompt,
       root.id AS root_id, root.prompt_text AS root_prompt
FROM candidate c
JOIN label l ON l.id = c.label_id
LEFT JOIN scene s ON s.id = c.scene_id
LEFT JOIN placement p ON p.id = c.placement_id
LEFT JOIN candidate parent ON parent.id = c.parent_id
LEFT JOIN candidate root ON root.label_id = c.label_id AND root.key = {root_key}
"""
CAPTION_TEXT = {
    "sqlite": (
        """
        CREATE VIRTUAL TABLE caption_text USING fts5 (
            caption, content='candidate', content_rowid='id',
            tokenize='unicode61 remove_diacritics 0', prefix='2 3'
        )
        """,
        """
        CREATE TRIGGER caption_text_insert AFTER INSERT ON candidate
        WHEN new.caption IS NOT NULL BEGIN
            INSERT INTO caption_text (rowid, caption) VALUES (new.id, new.caption);
        END
        """,
        """
        CREATE TRIGGER caption_text_update AFTER UPDATE OF caption ON candidate BEGIN
            INSERT INTO caption_text (caption_text, rowid, caption)
            SELECT 'delete', old.id, old.caption WHERE old.caption IS NOT NULL;
            INSERT INTO caption_text (rowid, caption)
            SELECT new.id, new.caption WHERE new.caption IS NOT NULL;
        END
        """,
        """
        CREATE TRIGGER caption_text_delete AFTER DELETE ON candidate
        WHEN old.caption IS NOT NULL BEGIN
            INSERT INTO caption_text (caption_text, rowid, caption)
            VALUES ('delete', old.id, old.caption);
        END
        """,
        "INSERT INTO caption_text (caption_text) VALUES ('rebuild')",
    ),
    "postgresql": (
        """
        CREATE INDEX ix_candidate_caption_text ON candidate
        USING gin (to_tsvector('simple', caption))
        """,
    ),
}


def upgrade() -> None:
    op.add_column(
        "candidate", sa.Column("object_count", sa.Integer(), server_default="0", nullable=False)
    )
    op.execute(
        "UPDATE candidate SET object_count = "
        "(SELECT count(*) FROM annotation WHERE annotation.candidate_id = candidate.id)"
    )
    _make_indexes()
    op.create_table(
        "rejudging",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_rejudging_run_id_run"),
        sa.PrimaryKeyConstraint("id", name="pk_rejudging"),
    )
    op.create_index("ix_rejudging_run_id", "rejudging", ["run_id"])
    op.create_table(
        "verdict_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rejudging_id", sa.Integer(), nullable=False),
        sa.Column("candidate_id", sa.Integer(), nullable=False),
        sa.Column("verdict_before", sa.String(length=16), nullable=False),
        sa.Column("reason_before", sa.String(length=64), nullable=True),
        sa.Column("verdict_after", sa.String(length=16), nullable=False),
        sa.Column("reason_after", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["rejudging_id"], ["rejudging.id"], name="fk_verdict_change_rejudging_id_rejudging"
        ),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidate.id"], name="fk_verdict_change_candidate_id_candidate"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_verdict_change"),
        sa.UniqueConstraint(
            "rejudging_id", "candidate_id", name="uq_verdict_change_rejudging_id_candidate_id"
        ),
    )
    op.create_index("ix_verdict_change_candidate_id", "verdict_change", ["candidate_id"])
    dialect = op.get_bind().dialect.name
    for statement in (*CAPTION_TEXT[dialect], ACCEPTED, FUNNEL):
        op.execute(statement)
    op.execute(LINEAGE.format(root_key=ROOT_KEY[dialect]))


def _make_indexes() -> None:
    op.drop_index("ix_candidate_run_verdict", "candidate")
    op.create_index(
        "ix_candidate_run_outcome",
        "candidate",
        ["run_id", "verdict", "reason", "origin", "label_id"],
    )
    op.create_index("ix_candidate_run_label_key", "candidate", ["run_id", "label_id", "key"])
    op.create_index("ix_candidate_outcome", "candidate", ["verdict", "reason"])
    op.create_index("ix_candidate_object_count", "candidate", ["object_count"])
    op.drop_index("ix_annotation_label", "annotation")
    op.create_index(
        "ix_annotation_lower_label", "annotation", [sa.text("lower(label)"), "candidate_id"]
    )
    op.drop_index("ix_score_name_value", "score")
    op.create_index("ix_score_name_value", "score", ["name", "value", "candidate_id"])


def downgrade() -> None:
    for view in ("lineage", "funnel", "accepted"):
        op.execute(f"DROP VIEW {view}")
    if op.get_bind().dialect.name == "sqlite":
        for event in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER caption_text_{event}")
        op.execute("DROP TABLE caption_text")
    else:
        op.drop_index("ix_candidate_caption_text", "candidate")
    op.drop_table("verdict_change")
    op.drop_table("rejudging")
    op.drop_index("ix_score_name_value", "score")
    op.create_index("ix_score_name_value", "score", ["name", "value"])
    op.drop_index("ix_annotation_lower_label", "annotation")
    op.create_index("ix_annotation_label", "annotation", ["label"])
    for index in ("object_count", "outcome", "run_label_key", "run_outcome"):
        op.drop_index(f"ix_candidate_{index}", "candidate")
    op.create_index("ix_candidate_run_verdict", "candidate", ["run_id", "verdict", "origin"])
    op.drop_column("candidate", "object_count")
