-- Complaints by who complains and about which order. `identity` is a keyed hash: an identifier (a phone, a mailbox, an
-- order) that was found in a complaint; `customer` numbers the customer it was taken for, or is `=` and the key that the
-- customers' file gives; 0 where it is an order's.
CREATE TABLE links (
    identity INTEGER NOT NULL,
    conversation_id INTEGER NOT NULL,
    customer INTEGER NOT NULL,
    PRIMARY KEY (identity, conversation_id)
) WITHOUT ROWID;
CREATE INDEX links_conversation ON links (conversation_id);
