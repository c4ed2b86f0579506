-- What was still at the platform when its message was read: the attachment at that `place`, or (-1) its author's profile.
-- `blob` names the stored file, `result` is what is known of it, or the profile; `event_id` is the event that told of it.
CREATE TABLE fetches (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    conversation_id INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    place INTEGER NOT NULL,
    locator BLOB NOT NULL,
    size INTEGER NOT NULL,
    created_at REAL NOT NULL,
    fetch_before REAL NOT NULL,
    next_at REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    finished_at REAL,
    blob TEXT,
    result BLOB,
    event_id TEXT,
    UNIQUE (message_id, place)
);
CREATE INDEX fetches_waiting ON fetches (channel, fetch_before, id) WHERE state = 'waiting';
CREATE INDEX fetches_skipped ON fetches (channel) WHERE state = 'skipped';
CREATE INDEX fetches_conversation ON fetches (conversation_id);
CREATE INDEX fetches_locator ON fetches (channel, locator);
-- When a chat is quiet enough: `due_at` may be later, while files are on their way.
ALTER TABLE conversations ADD COLUMN settles_at REAL;
