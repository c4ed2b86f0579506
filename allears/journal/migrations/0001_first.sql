-- Times are REAL seconds since 1970 UTC, passed in. JSON is TEXT or BLOB, written and read by allears only.

CREATE TABLE stamps (name TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE channels (
    name TEXT PRIMARY KEY,
    connector TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT 'new',
    reason TEXT NOT NULL DEFAULT '',
    since REAL,
    seen INTEGER NOT NULL DEFAULT 0,
    stored INTEGER NOT NULL DEFAULT 0,
    duplicate INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    last_success_at REAL,
    last_item_at REAL
);

CREATE TABLE cursors (
    channel TEXT NOT NULL,
    stream TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (channel, stream)
);

CREATE TABLE raws (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    raw_key TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    conversation_id INTEGER,
    media_type TEXT NOT NULL,
    received_at REAL NOT NULL,
    stored_at REAL NOT NULL,
    thread TEXT NOT NULL DEFAULT '',
    context TEXT NOT NULL DEFAULT '{}',
    size INTEGER NOT NULL,
    blob TEXT,
    body BLOB,
    UNIQUE (channel, raw_key, ordinal)
);
CREATE INDEX raws_waiting ON raws (channel, id) WHERE state = 'waiting';

CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    reference TEXT NOT NULL UNIQUE,
    seed BLOB NOT NULL,
    subjects TEXT NOT NULL DEFAULT '[]',
    people TEXT NOT NULL DEFAULT '[]',
    related TEXT NOT NULL DEFAULT '[]',
    opened_at REAL NOT NULL,
    last_at REAL NOT NULL,
    burst_at REAL,
    due_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX conversations_due ON conversations (channel, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE names (
    channel TEXT NOT NULL,
    name TEXT NOT NULL,
    conversation_id INTEGER NOT NULL,
    PRIMARY KEY (channel, name, conversation_id)
) WITHOUT ROWID;

CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    external_id TEXT NOT NULL,
    revision TEXT NOT NULL,
    raw_id INTEGER NOT NULL,
    conversation_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    counts INTEGER NOT NULL,
    posted_at REAL,
    received_at REAL NOT NULL,
    event_id TEXT,
    body BLOB NOT NULL,
    UNIQUE (channel, external_id, revision)
);
CREATE INDEX messages_conversation ON messages (conversation_id);

-- What follows is found by its conversation's number, which grows: an index on a reference (random) would dirty a page
-- of its own with each complaint. A complaint's id is its conversation's reference, which has the one such index.

CREATE TABLE complaints (
    conversation_id INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    channel TEXT NOT NULL,
    title TEXT NOT NULL,
    nature TEXT NOT NULL,
    category TEXT NOT NULL,
    priority TEXT NOT NULL,
    customer TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open',
    opened_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    events INTEGER NOT NULL
);
CREATE INDEX complaints_updated ON complaints (updated_at);

CREATE TABLE events (
    conversation_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    id TEXT NOT NULL,
    complaint_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    at REAL NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (conversation_id, sequence)
);

CREATE TABLE lines (
    id INTEGER PRIMARY KEY,
    conversation_id INTEGER NOT NULL,
    complaint_id TEXT NOT NULL,
    destination TEXT NOT NULL,
    successor INTEGER NOT NULL DEFAULT 0,
    ticket TEXT,
    former TEXT NOT NULL DEFAULT '[]',
    UNIQUE (conversation_id, destination)
);

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    line_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    complaint_id TEXT NOT NULL,
    destination TEXT NOT NULL,
    channel TEXT NOT NULL,
    priority TEXT NOT NULL,
    state TEXT NOT NULL,
    head INTEGER NOT NULL,
    doubtful INTEGER NOT NULL DEFAULT 0,
    replayed INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    lookups INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    next_at REAL NOT NULL,
    deadline REAL,
    sent_at REAL,
    reason TEXT NOT NULL DEFAULT '',
    progress TEXT NOT NULL DEFAULT '{}',
    payload BLOB,
    UNIQUE (line_id, sequence)
);
CREATE INDEX deliveries_due ON deliveries (destination, channel, priority, id)
    WHERE head = 1 AND state IN ('pending', 'doubt');
CREATE INDEX deliveries_sending ON deliveries (state) WHERE state = 'sending';
CREATE INDEX deliveries_unsent ON deliveries (destination, state) WHERE state IN ('pending', 'sending', 'doubt', 'letter');

CREATE TABLE letters (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    place TEXT NOT NULL,
    raw_id INTEGER,
    delivery_id INTEGER,
    complaint_id TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    locator TEXT NOT NULL DEFAULT '{}',
    at REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'open',
    identity TEXT NOT NULL UNIQUE
);
CREATE INDEX letters_open ON letters (state, id);

CREATE TABLE sent_counts (
    destination TEXT PRIMARY KEY,
    sent INTEGER NOT NULL DEFAULT 0,
    last_at REAL
);

CREATE TABLE tokens (
    space TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (space, name)
);
