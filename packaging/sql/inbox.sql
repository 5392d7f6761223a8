-- Publishing inside the application's own transaction: tenterhook.publish(), for PostgreSQL 14 and newer.
--
-- Run it as the role that is to own the schema `tenterhook`, in the application's database or in the one in which Tenterhook
-- itself stores (there as Tenterhook's role). It can be run again: what is there stays, and the functions are those of this file.
--
--   tenterhook sql | psql -v ON_ERROR_STOP=1 postgres://OWNER@HOST/DATABASE
--
-- Nobody but the owner may use any of it until roles are granted that:
--
-- 1. A role of the application that publishes. With rows in tenterhook.publisher it may publish for these tenants only:
--
--   GRANT USAGE ON SCHEMA tenterhook TO shop;
--   GRANT EXECUTE ON FUNCTION tenterhook.publish(text, text, text, text, jsonb),
--                             tenterhook.publish(text, text, json, text, jsonb),
--                             tenterhook.publish(text, text, jsonb, text, jsonb) TO shop;
--   INSERT INTO tenterhook.publisher(role, tenant) VALUES ('shop', 'acme');
--
-- 2. The role with which Tenterhook comes, when it does not own the schema:
--
--   GRANT USAGE ON SCHEMA tenterhook TO tenterhook;
--   GRANT SELECT, INSERT, DELETE ON tenterhook.inbox, tenterhook.inbox_rejected TO tenterhook;

BEGIN;
SET LOCAL client_min_messages TO warning;

DO $$
BEGIN
  IF to_regnamespace('tenterhook') IS NULL THEN
    CREATE SCHEMA tenterhook;
  END IF;
END $$;

-- What was published and has not been taken. It is short: a row is deleted when its event is stored.
CREATE TABLE IF NOT EXISTS tenterhook.inbox(
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant text NOT NULL,
  type text NOT NULL,
  data text NOT NULL,
  id text NOT NULL,
  options jsonb,
  bytes int NOT NULL,
  at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX IF NOT EXISTS inbox_tenant ON tenterhook.inbox(tenant, no);

-- What cannot be accepted, and why.
CREATE TABLE IF NOT EXISTS tenterhook.inbox_rejected(
  no bigint PRIMARY KEY,
  tenant text NOT NULL,
  type text NOT NULL,
  data text NOT NULL,
  id text NOT NULL,
  options jsonb,
  bytes int NOT NULL,
  at timestamptz NOT NULL,
  rejected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  reason text NOT NULL
);

-- Roles that may publish for some tenants only. A role without a row here, and with EXECUTE, may for all.
CREATE TABLE IF NOT EXISTS tenterhook.publisher(
  role name NOT NULL,
  tenant text NOT NULL,
  PRIMARY KEY (role, tenant)
);

CREATE OR REPLACE FUNCTION tenterhook.publish(tenant text, type text, data text, id text DEFAULT NULL, options jsonb DEFAULT NULL)
RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  own text := coalesce(id, gen_random_uuid()::text);
  name text;
  value jsonb;
  checked json;
BEGIN
  IF tenant IS NULL OR type IS NULL OR data IS NULL THEN
    RAISE EXCEPTION 'tenterhook.publish: tenant, type and data must be given' USING ERRCODE = 'null_value_not_allowed';
  END IF;
  IF EXISTS (SELECT 1 FROM tenterhook.publisher p WHERE p.role = session_user)
     AND NOT EXISTS (SELECT 1 FROM tenterhook.publisher p WHERE p.role = session_user AND p.tenant = tenant) THEN
    RAISE EXCEPTION 'tenterhook.publish: the role "%" may not publish for the tenant "%"', session_user, tenant
      USING ERRCODE = 'insufficient_privilege', HINT = 'see the table tenterhook.publisher';
  END IF;
  IF tenant !~ '^[A-Za-z0-9_-]{1,128}$' THEN
    RAISE EXCEPTION 'tenterhook.publish: the tenant must have 1 to 128 characters of A-Z a-z 0-9 _ -'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF own !~ '^[A-Za-z0-9_-]{1,128}$' THEN
    RAISE EXCEPTION 'tenterhook.publish: the id must have 1 to 128 characters of A-Z a-z 0-9 _ -'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF type = '' OR octet_length(type) > 128 THEN
    RAISE EXCEPTION 'tenterhook.publish: the type must have 1 to 128 bytes' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  checked := data::json; -- says what is wrong where it is none
  IF options IS NOT NULL AND jsonb_typeof(options) <> 'object' THEN
    RAISE EXCEPTION 'tenterhook.publish: the options must be an object, such as {"resource_id": "42"}'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR name, value IN SELECT e.key, e.value FROM jsonb_each(coalesce(options, '{}')) e LOOP
    IF name NOT IN ('time', 'resource_type', 'resource_id', 'traceparent', 'channels', 'deliver_at', 'expires_at', 'notify') THEN
      RAISE EXCEPTION 'tenterhook.publish: there is no option "%"', name
        USING ERRCODE = 'invalid_parameter_value',
              HINT = 'the options are time, resource_type, resource_id, traceparent, channels, deliver_at, expires_at and notify';
    END IF;
    CONTINUE WHEN value = 'null';
    IF (name = 'channels' AND jsonb_typeof(value) <> 'array') OR (name = 'notify' AND jsonb_typeof(value) <> 'boolean')
       OR (name NOT IN ('channels', 'notify') AND jsonb_typeof(value) <> 'string') THEN
      RAISE EXCEPTION 'tenterhook.publish: the option "%" must be %', name,
        CASE name WHEN 'channels' THEN 'an array of names' WHEN 'notify' THEN 'true or false' ELSE 'a text' END
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF name IN ('time', 'deliver_at', 'expires_at')
       AND value #>> '{}' !~ '^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$' THEN
      RAISE EXCEPTION 'tenterhook.publish: the option "%" must be an RFC 3339 time, such as 2026-04-02T08:00:00Z', name
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF name = 'traceparent' AND value #>> '{}' !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' THEN
      RAISE EXCEPTION 'tenterhook.publish: the option "traceparent" must have the form of W3C Trace Context'
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
  END LOOP;
  INSERT INTO tenterhook.inbox(tenant, type, data, id, options, bytes, at)
    VALUES (tenant, type, data, own, nullif(options - 'notify', '{}'), octet_length(data), clock_timestamp());
  IF options @> '{"notify": true}' THEN
    NOTIFY tenterhook_inbox;
  END IF;
  RETURN own;
END $$;

-- The same for data that is json or jsonb already. PostgreSQL writes jsonb in a form of its own; text and json stay byte for byte.
CREATE OR REPLACE FUNCTION tenterhook.publish(tenant text, type text, data json, id text DEFAULT NULL, options jsonb DEFAULT NULL)
RETURNS text LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT tenterhook.publish($1, $2, $3::text, $4, $5) $$;
CREATE OR REPLACE FUNCTION tenterhook.publish(tenant text, type text, data jsonb, id text DEFAULT NULL, options jsonb DEFAULT NULL)
RETURNS text LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT tenterhook.publish($1, $2, $3::text, $4, $5) $$;

REVOKE ALL ON FUNCTION tenterhook.publish(text, text, text, text, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION tenterhook.publish(text, text, json, text, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION tenterhook.publish(text, text, jsonb, text, jsonb) FROM PUBLIC;

COMMENT ON FUNCTION tenterhook.publish(text, text, text, text, jsonb) IS
  'Publishes an event when this transaction commits. Returns its id, which is made where none is given.';
COMMIT;
