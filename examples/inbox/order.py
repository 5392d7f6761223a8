"""An order and its event in one transaction, with SQLAlchemy: order.py postgresql://USER@HOST/DATABASE"""
import json
import sys

from sqlalchemy import create_engine, text

PUBLISH = text("SELECT tenterhook.publish(:tenant, :type, :data, :id, CAST(:options AS jsonb))")


def publish(connection, tenant, kind, data, id=None, **options):
    """Publishes an event when the transaction of `connection` commits; gives the event's id."""
    return connection.execute(PUBLISH, {"tenant": tenant, "type": kind, "data": json.dumps(data), "id": id,
                                        "options": json.dumps(options) if options else None}).scalar()


def order(engine, number, total):
    with engine.begin() as connection:  # commits at the end, rolls back when something is raised
        connection.execute(text("INSERT INTO orders(no, total) VALUES (:no, :total)"), {"no": number, "total": total})
        publish(connection, "acme", "order.created", {"number": number, "total": total}, f"order-{number}-created",
                resource_type="order", resource_id=str(number))
        if total < 0:
            raise ValueError("an order of less than nothing")


def main():
    engine = create_engine(sys.argv[1])
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS orders(no bigint PRIMARY KEY, total numeric NOT NULL)"))
    order(engine, 2001, 19.9)
    try:
        order(engine, 2002, -1)
    except ValueError as error:
        print(f"given up: {error}")


if __name__ == "__main__":
    main()
