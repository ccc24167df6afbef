-- Every row belongs to a tenant, and every key begins with it: a query without one has no index.

CREATE TABLE threads (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    title      TEXT NOT NULL,
    status     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- Append only. `seq` counts from 1 without a gap within a thread.
CREATE TABLE events (
    tenant TEXT    NOT NULL,
    thread TEXT    NOT NULL,
    seq    INTEGER NOT NULL CHECK (seq > 0),
    kind   TEXT    NOT NULL,
    event  TEXT    NOT NULL,
    PRIMARY KEY (tenant, thread, seq),
    FOREIGN KEY (tenant, thread) REFERENCES threads (tenant, id)
) STRICT;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

-- The key is what makes an approval single-use.
CREATE TABLE approvals (
    tenant      TEXT    NOT NULL,
    plan_hash   TEXT    NOT NULL,
    thread      TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    approval    TEXT    NOT NULL,
    consumed_at TEXT    NOT NULL,
    PRIMARY KEY (tenant, plan_hash),
    FOREIGN KEY (tenant, thread, seq) REFERENCES events (tenant, thread, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE reports (
    tenant   TEXT NOT NULL,
    thread   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    text     TEXT NOT NULL,
    saved_at TEXT NOT NULL,
    PRIMARY KEY (tenant, thread, kind),
    FOREIGN KEY (tenant, thread) REFERENCES threads (tenant, id)
) STRICT;

-- A chain: each record's hash covers the one before it. The head says how long it should be.
CREATE TABLE audit (
    tenant   TEXT    NOT NULL,
    seq      INTEGER NOT NULL CHECK (seq > 0),
    thread   TEXT,
    at       TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    content  TEXT    NOT NULL,
    previous TEXT    NOT NULL,
    hash     TEXT    NOT NULL,
    PRIMARY KEY (tenant, seq)
) STRICT;

CREATE INDEX audit_by_thread ON audit (tenant, thread, seq);

CREATE TABLE audit_heads (
    tenant TEXT    NOT NULL PRIMARY KEY,
    seq    INTEGER NOT NULL,
    hash   TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Who runs a thread now. `process` lets a successor see that the owner is dead.
CREATE TABLE thread_runs (
    tenant     TEXT    NOT NULL,
    thread     TEXT    NOT NULL,
    owner      TEXT    NOT NULL,
    process    TEXT,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant, thread),
    FOREIGN KEY (tenant, thread) REFERENCES threads (tenant, id)
) STRICT, WITHOUT ROWID;
