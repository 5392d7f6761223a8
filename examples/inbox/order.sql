-- An order and its event, in one transaction: both are there after COMMIT, or neither is.
CREATE TABLE IF NOT EXISTS orders(no bigint PRIMARY KEY, total numeric NOT NULL);

BEGIN;
INSERT INTO orders(no, total) VALUES (1001, 19.90);
SELECT tenterhook.publish('acme', 'order.created', jsonb_build_object('number', 1001, 'total', 19.90), 'order-1001-created',
                          '{"resource_type": "order", "resource_id": "1001"}');
COMMIT;

-- This one is given up, and so is its event.
BEGIN;
INSERT INTO orders(no, total) VALUES (1002, 5);
SELECT tenterhook.publish('acme', 'order.created', '{"number": 1002}');
ROLLBACK;
