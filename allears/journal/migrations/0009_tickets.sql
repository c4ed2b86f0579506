-- What the ticket stores tell of their tickets.
CREATE TABLE ticket_states (
    line_id INTEGER PRIMARY KEY,
    status TEXT NOT NULL DEFAULT '',
    store_status TEXT NOT NULL DEFAULT '',
    handler TEXT NOT NULL DEFAULT '',
    changed_at REAL NOT NULL,
    answered_at REAL,
    solved_at REAL
);
CREATE INDEX lines_by_ticket ON lines (destination, json_extract(ticket, '$.id')) WHERE ticket IS NOT NULL;
