"""Addresses: the parts that are printed, and the secrets in them."""

import pytest

from chatgenimage.db.addresses import list_address_secrets, show_address, without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////home/me@work/f.sqlite3", "sqlite:////home/me@work/f.sqlite3"),
        ("postgresql+psycopg://me@db/x", "postgresql+psycopg://me@db/x"),
        ("postgresql+psycopg://me:hush@db:5432/x", "postgresql+psycopg://me:***@db:5432/x"),
        ("postgresql://db/x?password=hush&sslmode=no", "postgresql://db/x?password=***&sslmode=no"),
        ("postgresql://db/x?password=hush@me", "postgresql://***"),
        ("redis://:hush@h:1/0", "redis://:***@h:1/0"),
        ("redis://:hu/hush@h:1/0", "redis://:***@h:1/0"),
        ("redis://me:hu#hush@h:1/0", "redis://me:***@h:1/0"),
        ("redis://:hu?hush@h:1/0", "redis://***"),
        ("redis://hu/hush@h:1/0", "redis://***@h:1/0"),
        ("redis://me:hush/0", "redis://***"),
        ("redis://h/0?password=hush", "redis://h/0?password=***"),
        ("redis+socket:///a?virtual_host=0&p=hush", "redis+socket:///a?virtual_host=0&p=***"),
        ("amqp://me:hush@h:5672//", "amqp://me:***@h:5672//"),
        ("http://me:hush@h/v1?api-key=hush", "http://***@h/v1?api-key=***"),
        ("https://hush@h:443/v1#hush", "https://***@h:443/v1"),
        ("http://[::1]:9000/x", "http://[::1]:9000/x"),
        ("s3://bucket/images", "s3://bucket/images"),
        ("/a/folder", "/a/folder"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url, shown):
    assert show_address(url) == shown
    assert "hush" not in without_secrets(url)


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("redis://:a/b%20c@h:1/0", {"a/b%20c", "a/b c"}),
        ("http://token@h/v1?api-key=key", {"token", "key"}),
        ("postgresql://db/x?password=a@b", {"a@b"}),
        ("postgresql+psycopg://me@db/x?sslmode=require", set()),
        ("sqlite:////somewhere/rows.sqlite3", set()),
    ],
)
def test_the_secrets_of_an_address_are_known(url, secrets):
    assert set(list_address_secrets(url)) >= secrets
    assert secrets or not set(list_address_secrets(url))
