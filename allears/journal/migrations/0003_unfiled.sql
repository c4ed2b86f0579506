-- Conversations that were read and understood and deserve no ticket: automatic mail, spam, praise, bare greetings. A row
-- is gone when a later message makes the conversation a complaint; one that a person wants filed stays, as `wanted`.

CREATE TABLE unfiled (
    conversation_id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    reference TEXT NOT NULL,
    nature TEXT NOT NULL,
    reason TEXT NOT NULL,
    title TEXT NOT NULL,
    customer TEXT NOT NULL,
    at REAL NOT NULL,
    wanted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX unfiled_listed ON unfiled (wanted, channel, nature, at);
