-- Every setting has unit and range; a bad value and an unknown name are refused.
SET client_min_messages = warning;
CREATE SCHEMA settings;
SET search_path = settings, public;
LOAD 'pg_tviews';

SELECT error_of(format('SET pg_tviews.%s', bad)) FROM unnest(ARRAY['capture = 7', 'nonsense = 1']) AS bad;
SHOW pg_tviews.workers;
SHOW pg_tviews.max_latency;
SHOW pg_tviews.batch_size;
SHOW pg_tviews.retry_backoff;
SHOW pg_tviews.refresh_timeout;
SHOW pg_tviews.lock_timeout;
SHOW pg_tviews.max_backlog;
SHOW pg_tviews.audit_retention;
SHOW pg_tviews.capture;
SHOW pg_tviews.enabled;

DROP SCHEMA settings CASCADE;
