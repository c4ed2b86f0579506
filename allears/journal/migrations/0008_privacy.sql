-- What was erased because a customer asked for it: keyed hashes, so that a source which still has it is not read again.
-- `digest` and `ordinal` are of a raw's newest revision: a later one is new.
CREATE TABLE forgotten (
    channel TEXT NOT NULL,
    hash BLOB NOT NULL,
    digest BLOB,
    ordinal INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (channel, hash)
) WITHOUT ROWID;

-- The audit of it, and what is left to do: numbers and names of ours, no word of the customer's.
CREATE TABLE forgettings (
    id INTEGER PRIMARY KEY,
    begun_at REAL NOT NULL,
    by TEXT NOT NULL,
    finished_at REAL,
    compacted_at REAL,
    conversations INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE forgetting_items (
    kind TEXT NOT NULL,
    item NOT NULL,
    forgetting INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'new',
    PRIMARY KEY (kind, item)
) WITHOUT ROWID;
CREATE TABLE forgetting_tickets (
    forgetting INTEGER NOT NULL,
    destination TEXT NOT NULL,
    ticket TEXT NOT NULL,
    PRIMARY KEY (forgetting, destination, ticket)
) WITHOUT ROWID;

-- How far contents have been thrown away for their age, and what was still needed then: looked at again at `look_at`,
-- and counted from `needed_at`.
CREATE TABLE retention (name TEXT PRIMARY KEY, position INTEGER NOT NULL DEFAULT 0, erased INTEGER NOT NULL DEFAULT 0,
    at REAL);
CREATE TABLE retained (
    name TEXT NOT NULL,
    id INTEGER NOT NULL,
    needed_at REAL NOT NULL,
    look_at REAL NOT NULL,
    PRIMARY KEY (name, id)
) WITHOUT ROWID;
CREATE INDEX retained_look ON retained (name, look_at);

CREATE INDEX messages_raw ON messages (raw_id);
CREATE INDEX raws_blob ON raws (blob) WHERE blob IS NOT NULL;
CREATE INDEX fetches_blob ON fetches (blob) WHERE blob IS NOT NULL;
