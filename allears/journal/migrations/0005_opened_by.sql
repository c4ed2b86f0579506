-- The first raw of a chat that had a `thread`: whoever sent it is told the reference, and told it again when the raw is
-- delivered again. Greetings and events, which have none, may come before it.
ALTER TABLE conversations ADD COLUMN opened_by TEXT;
UPDATE conversations SET opened_by = '';
