-- The order in which several nodes tell what they say and change: how many transactions have a place in it, which was the
-- last, and the highest ids that were given by then. Each takes the next place just before its end, so the page has room for
-- what the row was before.
CREATE TABLE roomcast_order (
    number BIGINT NOT NULL DEFAULT 0,
    txid BIGINT NOT NULL DEFAULT 0,
    message_id BIGINT NOT NULL DEFAULT 0,
    change_id BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO roomcast_order DEFAULT VALUES;

-- What other nodes have written is read in the order of its transactions, a part at a time.
DROP INDEX messages_by_txid;
CREATE INDEX messages_by_txid ON messages (txid);
DROP INDEX message_changes_by_txid;
CREATE INDEX message_changes_by_txid ON message_changes (txid);
