-- What an account at a vendor has used up of a budget (units of a quota, calls, money) in a window of time, counted before
-- it is spent. Whole numbers of the smallest unit; the account is named without its secrets, and may be several channels'.
CREATE TABLE spent (
    account TEXT NOT NULL,
    unit TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (account, unit, since, until)
) WITHOUT ROWID;
