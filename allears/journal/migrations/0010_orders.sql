-- How many orders (pause, resume, a log-in) a channel was given: no note of the daemon's goes over one it has not heeded.
ALTER TABLE channels ADD COLUMN orders INTEGER NOT NULL DEFAULT 0;
