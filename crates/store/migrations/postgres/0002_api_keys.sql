-- The id is random and global: a key says by itself whose it is, so this is read before the tenant
-- is known. Of a key's secret only a hash is here.
CREATE TABLE api_keys (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant     TEXT COLLATE "C" NOT NULL,
    name       TEXT NOT NULL,
    person     TEXT NOT NULL,
    actions    TEXT NOT NULL,
    digest     TEXT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    expires_at TEXT COLLATE "C" NOT NULL,
    revoked_at TEXT COLLATE "C"
);

CREATE INDEX api_keys_by_tenant ON api_keys (tenant, created_at);
