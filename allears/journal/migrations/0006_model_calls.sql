-- Calls of the optional model step: each is noted before it leaves, which is what the budget counts. `key` is a digest of
-- the whole question; `answer` holds values and places in that question, no words of anybody's.
CREATE TABLE model_calls (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    at REAL NOT NULL,
    answer BLOB
);
CREATE INDEX model_calls_by_key ON model_calls (key);
CREATE INDEX model_calls_by_time ON model_calls (at);
