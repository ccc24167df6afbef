-- Every row belongs to a tenant, and every key begins with it. The same tables as for SQLite; text
-- is compared byte by byte there, so here too.

CREATE TABLE threads (
    tenant     TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    title      TEXT NOT NULL,
    status     TEXT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- Append only. `seq` counts from 1 without a gap within a thread.
CREATE TABLE events (
    tenant TEXT COLLATE "C" NOT NULL,
    thread TEXT COLLATE "C" NOT NULL,
    seq    BIGINT NOT NULL CHECK (seq > 0),
    kind   TEXT NOT NULL,
    event  TEXT NOT NULL,
    PRIMARY KEY (tenant, thread, seq),
    FOREIGN KEY (tenant, thread) REFERENCES threads (tenant, id)
);

CREATE FUNCTION events_are_never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are append-only';
END
$$;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
    FOR EACH ROW EXECUTE FUNCTION events_are_never_changed();

-- The key is what makes an approval single-use.
CREATE TABLE approvals (
    tenant      TEXT COLLATE "C" NOT NULL,
    plan_hash   TEXT COLLATE "C" NOT NULL,
    thread      TEXT COLLATE "C" NOT NULL,
    seq         BIGINT NOT NULL,
    approval    TEXT NOT NULL,
    consumed_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, plan_hash),
    FOREIGN KEY (tenant, thread, seq) REFERENCES events (tenant, thread, seq)
);

CREATE TABLE reports (
    tenant   TEXT COLLATE "C" NOT NULL,
    thread   TEXT COLLATE "C" NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL,
    text     TEXT NOT NULL,
    saved_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, thread, kind),
    FOREIGN KEY (tenant, thread) REFERENCES threads (tenant, id)
);

-- A chain: each record's hash covers the one before it. The head says how long it should be.
CREATE TABLE audit (
    tenant   TEXT COLLATE "C" NOT NULL,
    seq      BIGINT NOT NULL CHECK (seq > 0),
    thread   TEXT COLLATE "C",
    at       TEXT COLLATE "C" NOT NULL,
    kind     TEXT NOT NULL,
    content  TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL,
    PRIMARY KEY (tenant, seq)
);

CREATE INDEX audit_by_thread ON audit (tenant, thread, seq);

CREATE TABLE audit_heads (
    tenant TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    seq    BIGINT NOT NULL,
    hash   TEXT NOT NULL
);

-- Who runs a thread now. `process` lets a successor see that the owner is dead.
CREATE TABLE thread_runs (
    tenant     TEXT COLLATE "C" NOT NULL,
    thread     TEXT COLLATE "C" NOT NULL,
    owner      TEXT NOT NULL,
    process    TEXT,
    expires_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, thread),
    FOREIGN KEY (tenant, thread) REFERENCES threads (tenant, id)
);

-- The second lock: a session that speaks for one tenant sees no row of another, whatever it asks.
-- FORCE, so that the owner of the tables is held to it too.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['threads', 'events', 'approvals', 'reports', 'audit', 'audit_heads', 'thread_runs']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY one_tenant ON %I USING (tenant = current_setting(''ecs_deep_agent.tenant'', true)) '
            'WITH CHECK (tenant = current_setting(''ecs_deep_agent.tenant'', true))', name);
    END LOOP;
END
$$;
