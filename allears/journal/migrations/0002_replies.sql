-- A line that answers the customer holds one delivery: that of the opening. `answers` is a digest of whom, '' where that
-- answer was left out because there were too many to the same address, NULL on the lines of ticket stores.
ALTER TABLE lines ADD COLUMN answers TEXT;
CREATE INDEX lines_answers ON lines (answers, id) WHERE answers > '';
