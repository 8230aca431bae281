//! Every column of every catalog that a value can depend on: changed by hand, it changes the fingerprint of what can change
//! a row, or there is a reason why not. A column that a later PostgreSQL adds is unknown here, and the test fails. And every
//! command that fires event triggers: it has TVIEWs looked at again, or there is a reason why not.

use postgres::types::Type;
use postgres::{Client, Transaction};

use crate::harness::{shared, Ask, Database, VERSION};

const FINGERPRINT: &str = include_str!("../../sql/statements/fingerprint.sql");

/// A view that reaches an object of every kind.
const OBJECTS: &str = r#"
CREATE ROLE ddl_catalogs_owner; CREATE ROLE ddl_catalogs_team;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE addr AS (street text, zip text);
CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);
CREATE FUNCTION span_diff(a float8, b float8) RETURNS float8 IMMUTABLE LANGUAGE sql AS 'SELECT a - b';
CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = span_diff);
CREATE LANGUAGE spoken HANDLER plpgsql_call_handler;
CREATE TRANSFORM FOR mood LANGUAGE spoken (FROM SQL WITH FUNCTION dsimple_init(internal));
CREATE FUNCTION transformed(m mood) RETURNS text LANGUAGE spoken TRANSFORM FOR TYPE mood AS 'SELECT 1';
CREATE FUNCTION lowest(s int, n int) RETURNS int IMMUTABLE LANGUAGE sql BEGIN ATOMIC SELECT least(s, n); END;
CREATE AGGREGATE best(int) (sfunc = lowest, stype = int, initcond = '7');
CREATE SCHEMA apart;
CREATE FUNCTION apart.near(a int, b int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT a = b';
CREATE OPERATOR ~~~ (leftarg = int, rightarg = int, function = apart.near);
CREATE FUNCTION as_json(m mood) RETURNS json IMMUTABLE LANGUAGE sql AS 'SELECT NULL::json';
CREATE CAST (mood AS json) WITH FUNCTION as_json(mood);
CREATE FUNCTION compare(a addr, b addr) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 0';
CREATE FUNCTION alike(a addr, b addr) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR <~> (leftarg = addr, rightarg = addr, function = alike);
CREATE OPERATOR CLASS by_zip DEFAULT FOR TYPE addr USING btree AS OPERATOR 3 <~>, FUNCTION 1 compare(addr, addr);
CREATE COLLATION by_bytes (provider = libc, locale = 'C');
CREATE TEXT SEARCH PARSER words (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH TEMPLATE kept (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY stems (template = kept);
CREATE TEXT SEARCH CONFIGURATION conf (parser = words);
ALTER TEXT SEARCH CONFIGURATION conf ADD MAPPING FOR asciiword WITH stems;
CREATE CONVERSION pg_catalog.ours FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
UPDATE pg_conversion SET condefault = true WHERE conname = 'ours';
CREATE TABLE tb_p (pk_p int PRIMARY KEY, n int DEFAULT 7, mood mood, home addr, brief short, span span, body text);
CREATE TABLE apart.tb_q (q int);
CREATE VIEW below AS SELECT 1 AS one;
ALTER TABLE tb_p ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON tb_p TO ddl_catalogs_team USING (n > 0);
CREATE VIEW v_p AS SELECT pk_p, mood, home, brief, span, transformed(mood) AS told, n ~~~ 2 AS near, to_tsvector('conf', body) AS words,
    (SELECT best(o.n) FROM tb_p o) AS best, body < 'a' COLLATE by_bytes AS less,
    (SELECT one FROM below), (SELECT count(*) FROM apart.tb_q) AS n FROM tb_p;
CREATE TABLE tv_p (pk_p int PRIMARY KEY);
GRANT CREATE ON SCHEMA public TO ddl_catalogs_owner;
GRANT USAGE ON SCHEMA apart TO ddl_catalogs_owner;
GRANT SELECT ON below TO ddl_catalogs_owner;
GRANT SELECT, TRIGGER ON apart.tb_q TO ddl_catalogs_owner;
ALTER TABLE tb_p OWNER TO ddl_catalogs_owner; ALTER TABLE tv_p OWNER TO ddl_catalogs_owner; ALTER VIEW v_p OWNER TO ddl_catalogs_owner;
"#;

/// A catalog, the row of it that is changed, the columns that are followed, and why the others cannot change a row.
struct Catalog {
    name: &'static str,
    row: &'static str,
    followed: &'static str,
    not: &'static [(&'static str, &'static str)],
}

const NAMES: &str =
    "references are OIDs; where a value shows names, the name as a whole is in the fingerprint";
const RIGHTS: &str = "a missing right is an error, and GRANT wakes what is suspended";
const PLANNER: &str = "for the planner to estimate or choose by; results are the same by contract";
const STORAGE: &str = "how and where rows are kept";
const WRITING: &str = "for INSERT, UPDATE and DDL";
const KIND: &str = "no command changes it";

const CATALOGS: &[Catalog] = &[
    Catalog {
        name: "pg_proc",
        row: "oid = 'lowest'::regproc",
        followed: "oid prolang provariadic prosupport prokind prosecdef proisstrict proretset provolatile pronargs pronargdefaults prorettype \
                   proargtypes proallargtypes proargmodes proargnames proargdefaults protrftypes prosrc probin prosqlbody proconfig",
        not: &[
            ("proname pronamespace", NAMES),
            ("proowner", "runs as whoever calls it, unless SECURITY DEFINER: see below"),
            ("procost prorows proparallel proleakproof", PLANNER),
            ("proacl", RIGHTS),
        ],
    },
    Catalog {
        name: "pg_aggregate",
        row: "aggfnoid = 'best'::regproc",
        followed: "aggfnoid aggkind aggnumdirectargs aggtransfn aggfinalfn aggcombinefn aggserialfn aggdeserialfn aggmtransfn aggminvtransfn \
                   aggmfinalfn aggfinalextra aggmfinalextra aggfinalmodify aggmfinalmodify aggsortop aggtranstype aggmtranstype agginitval aggminitval",
        not: &[("aggtransspace aggmtransspace", PLANNER)],
    },
    Catalog {
        name: "pg_operator",
        row: "oprname = '~~~'",
        followed: "oid oprcode",
        not: &[
            ("oprname oprnamespace", NAMES),
            ("oprowner", RIGHTS),
            ("oprkind oprleft oprright oprresult", KIND),
            ("oprcanmerge oprcanhash oprcom oprnegate oprrest oprjoin", PLANNER),
        ],
    },
    Catalog {
        name: "pg_type",
        row: "oid = 'short'::regtype",
        followed: "oid typtype typelem typinput typoutput typmodin typmodout typnotnull typbasetype typtypmod typndims typcollation typsubscript",
        not: &[
            ("typname typnamespace", NAMES),
            ("typowner", RIGHTS),
            ("typacl", RIGHTS),
            ("typlen typbyval typalign typstorage", STORAGE),
            ("typreceive typsend", "for clients that ask for binary values"),
            ("typanalyze", PLANNER),
            ("typcategory typispreferred", "looked at when a query is parsed, and views are parsed already"),
            ("typdefault typdefaultbin", WRITING),
            ("typisdefined typdelim typrelid typarray", KIND),
        ],
    },
    Catalog {
        name: "pg_attribute",
        row: "attrelid = 'addr'::regclass AND attname = 'zip'",
        followed: "attrelid attname atttypid atttypmod attisdropped attcollation",
        not: &[
            ("attnum", "attributes count by their order"),
            ("attstattarget attnotnull atthasdef", PLANNER),
            ("attndims attislocal attinhcount attidentity attgenerated", WRITING),
            ("attlen attcacheoff attbyval attalign attstorage attcompression atthasmissing attmissingval", STORAGE),
            ("attacl attoptions attfdwoptions", RIGHTS),
        ],
    },
    Catalog {
        name: "pg_range",
        row: "rngtypid = 'span'::regtype",
        followed: "rngtypid rngsubtype rngmultitypid rngcollation rngsubopc rngcanonical rngsubdiff",
        not: &[],
    },
    Catalog {
        name: "pg_enum",
        row: "enumlabel = 'ok'",
        // All of it where a function given as text may ask for the labels, as one here does.
        followed: "oid enumtypid enumsortorder enumlabel",
        not: &[],
    },
    Catalog {
        name: "pg_constraint",
        row: "contypid = 'short'::regtype",
        followed: "oid contypid conbin",
        not: &[
            ("conname connamespace", NAMES),
            ("contype", KIND),
            ("condeferrable condeferred convalidated", "an expression checks a value it makes at once, and always"),
            (
                "conrelid conindid conparentid confrelid confupdtype confdeltype confmatchtype conislocal coninhcount connoinherit conkey confkey \
                 conpfeqop conppeqop conffeqop confdelsetcols conexclop conenforced conperiod",
                "of tables: what they refuse never becomes a row",
            ),
        ],
    },
    Catalog {
        name: "pg_cast",
        row: "castsource = 'mood'::regtype",
        followed: "oid castsource casttarget castfunc castmethod",
        not: &[("castcontext", "looked at when a query is parsed")],
    },
    Catalog {
        name: "pg_opclass",
        row: "opcname = 'by_zip'",
        followed: "oid opcmethod opcfamily opcintype opcdefault opckeytype",
        not: &[("opcname opcnamespace", NAMES), ("opcowner", RIGHTS)],
    },
    Catalog {
        name: "pg_opfamily",
        row: "opfname = 'by_zip'",
        followed: "",
        not: &[
            ("oid opfmethod", KIND),
            ("opfname opfnamespace", NAMES),
            ("opfowner", RIGHTS),
        ],
    },
    Catalog {
        name: "pg_amop",
        row: "amoplefttype = 'addr'::regtype",
        followed: "amopfamily amoplefttype amoprighttype amopstrategy amoppurpose amopopr amopmethod amopsortfamily",
        not: &[("oid", KIND)],
    },
    Catalog {
        name: "pg_amproc",
        row: "amproclefttype = 'addr'::regtype",
        followed: "amprocfamily amproclefttype amprocrighttype amprocnum amproc",
        not: &[("oid", KIND)],
    },
    Catalog {
        name: "pg_collation",
        row: "collname = 'by_bytes'",
        followed: "oid collprovider collisdeterministic collencoding collcollate collctype colliculocale colllocale collicurules collversion",
        not: &[("collname collnamespace", NAMES), ("collowner", RIGHTS)],
    },
    Catalog {
        name: "pg_language",
        row: "lanname = 'spoken'",
        followed: "oid lanplcallfoid",
        not: &[
            ("lanname", NAMES),
            ("lanowner lanacl lanpltrusted", RIGHTS),
            ("lanispl laninline lanvalidator", "for DO and CREATE FUNCTION"),
        ],
    },
    Catalog {
        name: "pg_transform",
        row: "trftype = 'mood'::regtype",
        followed: "oid trftype trflang trffromsql trftosql",
        not: &[],
    },
    Catalog {
        name: "pg_ts_config",
        row: "cfgname = 'conf'",
        followed: "oid cfgparser",
        not: &[("cfgname cfgnamespace", NAMES), ("cfgowner", RIGHTS)],
    },
    Catalog {
        name: "pg_ts_config_map",
        row: "mapcfg = 'conf'::regconfig",
        followed: "mapcfg maptokentype mapseqno mapdict",
        not: &[],
    },
    Catalog {
        name: "pg_ts_dict",
        row: "dictname = 'stems'",
        followed: "oid dicttemplate dictinitoption",
        not: &[("dictname dictnamespace", NAMES), ("dictowner", RIGHTS)],
    },
    Catalog {
        name: "pg_ts_parser",
        row: "prsname = 'words'",
        followed: "oid prsstart prstoken prsend prsheadline prslextype",
        not: &[("prsname prsnamespace", NAMES)],
    },
    Catalog {
        name: "pg_ts_template",
        row: "tmplname = 'kept'",
        followed: "oid tmplinit tmpllexize",
        not: &[("tmplname tmplnamespace", NAMES)],
    },
    Catalog {
        name: "pg_conversion",
        row: "conname = 'ours'",
        followed: "oid connamespace conforencoding contoencoding conproc condefault",
        not: &[("conname", NAMES), ("conowner", RIGHTS)],
    },
    Catalog {
        name: "pg_policy",
        row: "polname = 'few'",
        followed: "oid polrelid polcmd polpermissive polroles polqual",
        not: &[("polname", NAMES), ("polwithcheck", WRITING)],
    },
    Catalog {
        name: "pg_rewrite",
        row: "ev_class = 'v_p'::regclass",
        followed: "oid ev_class ev_action",
        not: &[
            ("rulename", KIND),
            ("ev_type ev_enabled is_instead ev_qual", "of the rule that makes a view, PostgreSQL reads the action only"),
        ],
    },
    Catalog {
        name: "pg_class",
        row: "oid = 'tb_p'::regclass",
        followed: "oid relowner relkind relrowsecurity relforcerowsecurity",
        not: &[
            ("relname relnamespace", NAMES),
            ("reltype reloftype", "whole rows have a type of their own, which is reached as one"),
            (
                "relam relfilenode reltablespace relpages reltuples relallvisible relallfrozen reltoastrelid relpersistence relfrozenxid relminmxid relrewrite",
                STORAGE,
            ),
            ("relhasindex relisshared relnatts relchecks relhasrules relhastriggers relhassubclass relispopulated relreplident", WRITING),
            ("relispartition relpartbound", "rows that come or go with a partition are logged as changes"),
            ("relacl", RIGHTS),
            ("reloptions", "of tables: storage. Of views: security_invoker is followed, see below"),
        ],
    },
    Catalog {
        name: "pg_authid",
        row: "rolname = 'ddl_catalogs_owner'",
        // From PostgreSQL 16 on, each membership says whether it is inherited.
        followed: if VERSION < 16 {
            "oid rolname rolsuper rolbypassrls rolinherit"
        } else {
            "oid rolname rolsuper rolbypassrls"
        },
        not: &[
            #[cfg(not(feature = "pg15"))]
            ("rolinherit", "what GRANT makes of it is in the membership"),
            ("rolcreaterole rolcreatedb rolcanlogin rolreplication rolconnlimit rolpassword rolvaliduntil", "for sessions"),
        ],
    },
    Catalog {
        name: "pg_auth_members",
        row: "member = 'ddl_catalogs_owner'::regrole",
        followed: "roleid member inherit_option",
        not: &[
            #[cfg(not(feature = "pg15"))]
            ("oid", KIND),
            ("grantor admin_option set_option", RIGHTS),
        ],
    },
];

/// Changes that no single column shows.
const OTHERS: &[&str] = &[
    "ALTER FUNCTION lowest SECURITY DEFINER",
    "ALTER VIEW v_p SET (security_invoker)",
    "GRANT ddl_catalogs_team TO ddl_catalogs_owner",
    "ALTER TYPE addr ADD ATTRIBUTE more int",
    "ALTER DOMAIN short ADD CHECK (VALUE <> '')",
];

#[test]
fn every_column_is_followed_or_cannot_matter() {
    let database = Database::new(shared(), "ddl_catalogs");
    let mut client = database.client();
    client.run(OBJECTS);
    let mut wrong = Vec::new();
    for catalog in CATALOGS {
        let columns = client.rows(&format!(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
              WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            catalog.name
        ));
        for column in columns {
            let (column, of_type) = column.split_once('|').expect("two columns");
            let followed = catalog.followed.split_whitespace().any(|name| name == column);
            let reasons = catalog
                .not
                .iter()
                .filter(|(names, _)| names.split_whitespace().any(|name| name == column));
            let name = format!("{}.{column}", catalog.name);
            assert_eq!(
                reasons.count(),
                usize::from(!followed),
                "{name}: is it followed, or why can it not change a row?"
            );
            if let Some(changes) =
                changes(&mut client, catalog, column, of_type).filter(|changes| *changes != followed)
            {
                wrong.push(format!(
                    "{name}: followed {followed}, a change of it changes the fingerprint: {changes}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for command in OTHERS {
        assert!(differs(&mut client, command), "{command}");
    }
}

/// Whether another value in that column makes another fingerprint. None: there is no other value to be had.
fn changes(client: &mut Client, catalog: &Catalog, column: &str, of_type: &str) -> Option<bool> {
    let other = match of_type {
        "boolean" => format!("NOT coalesce({column}, false)"),
        "name" => format!("({column} || 'x')::name"),
        "text" => format!("coalesce({column}, '') || 'x'"),
        "\"char\"" => format!("CASE {column} WHEN 'x' THEN 'y' ELSE 'x' END::\"char\""),
        "oid" => format!("(coalesce({column}, 0)::int8 + 12345)::oid"),
        "regproc" => {
            format!("CASE {column} WHEN 'now'::regproc THEN 'version'::regproc ELSE 'now'::regproc END")
        }
        "smallint" | "integer" | "real" => format!("{column} + 1"),
        "text[]" => format!("array_append({column}, 'a=b')"),
        "\"char\"[]" => "'{i,i}'".to_string(),
        "oid[]" => format!("array_append({column}, 10::oid)"),
        "smallint[]" => "'{1,2}'".to_string(),
        "oidvector" => "'25 25 25'".to_string(),
        "aclitem[]" => "ARRAY[makeaclitem(10, 10, 'SELECT', false)]".to_string(),
        "pg_node_tree" => "(SELECT adbin FROM pg_attrdef LIMIT 1)".to_string(),
        "timestamp with time zone" => "now()".to_string(),
        "xid" => "'5'".to_string(),
        "anyarray" => return None,
        other => panic!("{}.{column}: how is another {other} made?", catalog.name),
    };
    let sql = format!(
        "UPDATE {} SET {column} = {other} WHERE {}",
        catalog.name, catalog.row
    );
    Some(differs(client, &sql))
}

fn differs(client: &mut Client, sql: &str) -> bool {
    let mut transaction = client.transaction().expect("BEGIN");
    transaction
        .batch_execute("GRANT ddl_catalogs_team TO ddl_catalogs_owner")
        .expect("GRANT");
    if sql.starts_with("GRANT") {
        transaction
            .batch_execute("REVOKE ddl_catalogs_team FROM ddl_catalogs_owner")
            .expect("REVOKE");
    }
    let oids = transaction
        .query_one(
            "SELECT 'v_p'::regclass::oid, 'tb_p'::regclass::oid, 'tv_p'::regclass::oid",
            &[],
        )
        .expect("three relations");
    let relations: [u32; 3] = [oids.get(0), oids.get(1), oids.get(2)];
    let before = fingerprint(&mut transaction, relations);
    let changed = transaction.execute(sql, &[]);
    let rows = changed.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    assert!(
        rows == 1 || !sql.starts_with("UPDATE"),
        "{sql} is to change one row, not {rows}"
    );
    let after = fingerprint(&mut transaction, relations);
    transaction.rollback().expect("ROLLBACK");
    before != after
}

fn fingerprint(transaction: &mut Transaction, [view, table, tview]: [u32; 3]) -> [String; 2] {
    let image: Option<String> = transaction
        .query_one(
            "SELECT max(ev_action::text) FROM pg_rewrite WHERE ev_class = $1",
            &[&view],
        )
        .expect("the view's rule")
        .get(0);
    transaction
        .batch_execute("SET LOCAL search_path = pg_catalog, pg_temp")
        .expect("SET");
    let types = [
        Type::OID_ARRAY,
        Type::OID_ARRAY,
        Type::OID,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::TEXT,
    ];
    let statement = transaction
        .prepare_typed(FINGERPRINT, &types)
        .expect("the statement");
    let row = transaction
        .query_one(
            &statement,
            &[
                &vec![view],
                &vec![table],
                &tview,
                &image,
                &"",
                &"",
                &2i64,
                &"pg_catalog.english",
            ],
        )
        .expect("the fingerprint");
    transaction
        .batch_execute("SET LOCAL search_path = public")
        .expect("SET");
    [row.get(0), row.get(1)]
}

/// Beside [`OBJECTS`]: what the examples need to be there.
const FOR_EXAMPLES: &str = r#"
CREATE EXTENSION pg_trgm;
CREATE ROLE ddl_commands_other;
GRANT CREATE ON SCHEMA public TO ddl_commands_other;
CREATE FUNCTION theirs() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION theirs() OWNER TO ddl_commands_other;
CREATE FUNCTION addr_as_json(a addr) RETURNS json IMMUTABLE LANGUAGE sql AS 'SELECT NULL::json';
CREATE VIEW v_more AS SELECT pk_p, similarity(body, 'a') AS like_a, theirs() AS theirs FROM tb_p;
CREATE OPERATOR <~~> (leftarg = addr, rightarg = addr, function = alike);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (pk_p int NOT NULL, n int, mood mood, home addr, brief short, span span, body text) SERVER nowhere;
SELECT pg_tviews_create('p');
SELECT pg_tviews_create('more', key_columns => '{pk_p}');
"#;

/// Commands after which some TVIEW is looked at again, each with an example.
const FOLLOWED: &[(&str, &str)] = &[
    ("ALTER COLLATION", "ALTER COLLATION by_bytes REFRESH VERSION"),
    ("ALTER DOMAIN", "ALTER DOMAIN short ADD CHECK (VALUE <> '')"),
    ("ALTER FOREIGN TABLE", "ALTER FOREIGN TABLE far INHERIT tb_p"),
    ("ALTER FUNCTION", "ALTER FUNCTION apart.near(int, int) STRICT"),
    ("ALTER OPERATOR FAMILY", "ALTER OPERATOR FAMILY by_zip USING btree ADD OPERATOR 1 <~~> (addr, addr)"),
    ("ALTER POLICY", "ALTER POLICY few ON tb_p USING (n > 1)"),
    ("ALTER ROUTINE", "ALTER ROUTINE lowest(int, int) STRICT"),
    ("ALTER SCHEMA", "ALTER SCHEMA apart RENAME TO elsewhere"),
    ("ALTER TABLE", "ALTER TABLE tb_p ADD COLUMN more int"),
    ("ALTER TEXT SEARCH CONFIGURATION", "ALTER TEXT SEARCH CONFIGURATION conf DROP MAPPING FOR asciiword"),
    ("ALTER TEXT SEARCH DICTIONARY", "ALTER TEXT SEARCH DICTIONARY stems (accept = false)"),
    ("ALTER TYPE", "ALTER TYPE addr RENAME ATTRIBUTE zip TO postcode"),
    ("ALTER VIEW", "ALTER VIEW below RENAME COLUMN one TO two"),
    ("CREATE AGGREGATE", "CREATE OR REPLACE AGGREGATE best(int) (sfunc = int4larger, stype = int)"),
    ("CREATE CAST", "CREATE CAST (addr AS json) WITH FUNCTION addr_as_json(addr)"),
    ("CREATE CONVERSION", "CREATE CONVERSION pg_catalog.more FOR 'LATIN2' TO 'UTF8' FROM iso8859_to_utf8"),
    ("CREATE FOREIGN TABLE", "CREATE FOREIGN TABLE nearer () INHERITS (tb_p) SERVER nowhere"),
    ("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION apart.near(a int, b int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT a > b'"),
    ("CREATE LANGUAGE", "CREATE OR REPLACE LANGUAGE spoken HANDLER plpgsql_call_handler"),
    ("CREATE OPERATOR CLASS", "CREATE OPERATOR CLASS hashed DEFAULT FOR TYPE addr USING hash AS OPERATOR 1 <~>"),
    ("CREATE POLICY", "CREATE POLICY more ON tb_p USING (true)"),
    ("CREATE RULE", r#"CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO below DO INSTEAD SELECT 2 AS one"#),
    ("CREATE TABLE", "CREATE TABLE child () INHERITS (tb_p)"),
    ("CREATE TEXT SEARCH CONFIGURATION", "CREATE TEXT SEARCH CONFIGURATION pg_catalog.another (copy = english)"),
    ("CREATE TRANSFORM", "CREATE OR REPLACE TRANSFORM FOR mood LANGUAGE spoken (FROM SQL WITH FUNCTION dsynonym_init(internal))"),
    ("CREATE VIEW", "CREATE OR REPLACE VIEW below AS SELECT 2 AS one"),
    ("DROP AGGREGATE", "DROP AGGREGATE best(int) CASCADE"),
    ("DROP CAST", "DROP CAST (mood AS json)"),
    ("DROP COLLATION", "DROP COLLATION by_bytes CASCADE"),
    ("DROP CONVERSION", "DROP CONVERSION ours"),
    ("DROP DOMAIN", "DROP DOMAIN short CASCADE"),
    ("DROP EXTENSION", "DROP EXTENSION pg_trgm CASCADE"),
    ("DROP FUNCTION", "DROP FUNCTION lowest CASCADE"),
    ("DROP LANGUAGE", "DROP LANGUAGE spoken CASCADE"),
    ("DROP OPERATOR", "DROP OPERATOR ~~~ (int, int) CASCADE"),
    ("DROP OPERATOR CLASS", "DROP OPERATOR CLASS by_zip USING btree"),
    ("DROP OPERATOR FAMILY", "DROP OPERATOR FAMILY by_zip USING btree"),
    ("DROP OWNED", "DROP OWNED BY ddl_commands_other CASCADE"),
    ("DROP POLICY", "DROP POLICY few ON tb_p"),
    ("DROP ROUTINE", "DROP ROUTINE transformed CASCADE"),
    ("DROP SCHEMA", "DROP SCHEMA apart CASCADE"),
    ("DROP TABLE", "DROP TABLE apart.tb_q CASCADE"),
    ("DROP TEXT SEARCH CONFIGURATION", "DROP TEXT SEARCH CONFIGURATION conf CASCADE"),
    ("DROP TEXT SEARCH DICTIONARY", "DROP TEXT SEARCH DICTIONARY stems CASCADE"),
    ("DROP TEXT SEARCH PARSER", "DROP TEXT SEARCH PARSER words CASCADE"),
    ("DROP TEXT SEARCH TEMPLATE", "DROP TEXT SEARCH TEMPLATE kept CASCADE"),
    ("DROP TRANSFORM", "DROP TRANSFORM FOR mood LANGUAGE spoken CASCADE"),
    ("DROP TYPE", "DROP TYPE addr CASCADE"),
    ("DROP VIEW", "DROP VIEW below CASCADE"),
];

/// The others, with the reason.
const CANNOT_MATTER: &[(&str, &[&str])] = &[
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    ("It makes indexes anew.", &["REINDEX"]),
    (
        "It gives names, schemas and owners, or what the planner estimates by.",
        &[
            "ALTER AGGREGATE", "ALTER CONVERSION", "ALTER LANGUAGE", "ALTER OPERATOR", "ALTER OPERATOR CLASS", "ALTER RULE", "ALTER STATISTICS",
            "ALTER TEXT SEARCH PARSER", "ALTER TEXT SEARCH TEMPLATE", "CREATE INDEX", "CREATE STATISTICS", "ALTER INDEX", "DROP INDEX",
            "DROP STATISTICS", "COMMENT", "SECURITY LABEL", "ALTER LARGE OBJECT",
        ],
    ),
    (
        "Nothing can depend on what it makes before there is another command.",
        &[
            "CREATE ACCESS METHOD", "CREATE COLLATION", "CREATE DOMAIN", "CREATE OPERATOR", "CREATE OPERATOR FAMILY", "CREATE SCHEMA",
            "CREATE TABLE AS", "SELECT INTO", "CREATE TEXT SEARCH DICTIONARY", "CREATE TEXT SEARCH PARSER", "CREATE TEXT SEARCH TEMPLATE",
            "CREATE TYPE",
        ],
    ),
    (
        "No view of a TVIEW can read it or call it.",
        &[
            "ALTER FOREIGN DATA WRAPPER", "ALTER MATERIALIZED VIEW", "ALTER PROCEDURE", "ALTER PUBLICATION", "ALTER SERVER", "ALTER SUBSCRIPTION",
            "ALTER USER MAPPING", "CREATE FOREIGN DATA WRAPPER", "CREATE MATERIALIZED VIEW", "CREATE PROCEDURE", "CREATE PUBLICATION",
            "CREATE SERVER", "CREATE SUBSCRIPTION", "CREATE USER MAPPING", "DROP FOREIGN DATA WRAPPER", "DROP FOREIGN TABLE",
            "DROP MATERIALIZED VIEW", "DROP PROCEDURE", "DROP PUBLICATION", "DROP SERVER", "DROP SUBSCRIPTION", "DROP USER MAPPING",
            "IMPORT FOREIGN SCHEMA", "REFRESH MATERIALIZED VIEW",
        ],
    ),
    (
        "Values of sequences are not followed: a WARNING at creation says so.",
        &["ALTER SEQUENCE", "CREATE SEQUENCE", "DROP SEQUENCE"],
    ),
    (
        "A missing right is an error, and what is suspended is tried again.",
        &["ALTER DEFAULT PRIVILEGES", "GRANT", "REVOKE"],
    ),
    (
        "Triggers of others are not what a view reads; those of pg_tviews can be neither replaced nor renamed, and a dropped one is made again.",
        &["ALTER TRIGGER", "CREATE TRIGGER", "DROP TRIGGER"],
    ),
    (
        "Its commands fire event triggers one by one.",
        &["ALTER EXTENSION", "CREATE EXTENSION"],
    ),
    (
        "A view needs the rule that makes it: no command drops that alone.",
        &["DROP RULE"],
    ),
    (
        "What is compared by an access method is reached by the operator class.",
        &["DROP ACCESS METHOD"],
    ),
    (
        "There is a tag, but no command.",
        &["ALTER ACCESS METHOD", "ALTER CAST", "ALTER CONSTRAINT", "ALTER TRANSFORM", "CREATE CONSTRAINT", "CREATE ROUTINE", "DROP CONSTRAINT"],
    ),
];

/// Commands that change what roles may see and fire no event trigger: the utility hook has TVIEWs looked at again.
const WITHOUT_EVENT_TRIGGER: &[(&str, &str)] = &[
    ("ALTER ROLE", "ALTER ROLE ddl_commands_owner BYPASSRLS"),
    ("GRANT ROLE", "GRANT ddl_commands_team TO ddl_commands_owner"),
    ("REVOKE ROLE", "REVOKE ddl_commands_team FROM ddl_commands_owner"),
    (
        "REASSIGN OWNED",
        "REASSIGN OWNED BY ddl_commands_other TO ddl_commands_owner",
    ),
];

/// Others that fire none: of the whole cluster, of the session, or about rows.
const NEITHER: &[&str] = &[
    "ALTER DATABASE",
    "ALTER EVENT TRIGGER",
    "ALTER SYSTEM",
    "ALTER TABLESPACE",
    "ANALYZE",
    "BEGIN",
    "CALL",
    "CHECKPOINT",
    "CLOSE",
    "CLOSE CURSOR",
    "CLOSE CURSOR ALL",
    "CLUSTER",
    "COMMIT",
    "COMMIT PREPARED",
    "COPY",
    "COPY FROM",
    "CREATE DATABASE",
    "CREATE EVENT TRIGGER",
    "CREATE ROLE",
    "CREATE TABLESPACE",
    "DEALLOCATE",
    "DEALLOCATE ALL",
    "DECLARE CURSOR",
    "DELETE",
    "DISCARD",
    "DISCARD ALL",
    "DISCARD PLANS",
    "DISCARD SEQUENCES",
    "DISCARD TEMP",
    "DO",
    "DROP DATABASE",
    "DROP EVENT TRIGGER",
    "DROP ROLE",
    "DROP TABLESPACE",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "INSERT",
    "LISTEN",
    "LOAD",
    "LOCK TABLE",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "PREPARE",
    "PREPARE TRANSACTION",
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    "REINDEX",
    "RELEASE",
    "RESET",
    "ROLLBACK",
    "ROLLBACK PREPARED",
    "SAVEPOINT",
    "SELECT",
    "SELECT FOR KEY SHARE",
    "SELECT FOR NO KEY UPDATE",
    "SELECT FOR SHARE",
    "SELECT FOR UPDATE",
    "SET",
    "SET CONSTRAINTS",
    "SHOW",
    "START TRANSACTION",
    "TRUNCATE TABLE",
    "UNLISTEN",
    "UPDATE",
    "VACUUM",
];

#[test]
fn every_command_is_followed_or_cannot_matter() {
    let database = Database::new(shared(), "ddl_commands");
    let mut client = database.client();
    client.run(&OBJECTS.replace("ddl_catalogs_", "ddl_commands_"));
    client.run(FOR_EXAMPLES);
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    let listening =
        "SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'pg\\_tviews\\_%' AND evttags IS NULL";
    assert_eq!(client.one::<i64>(listening), 2, "event triggers for all commands");
    client.run("CREATE FUNCTION listener() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'");
    let reasons = CANNOT_MATTER.iter().flat_map(|(_, tags)| tags.iter());
    for tag in FOLLOWED.iter().map(|(tag, _)| tag).chain(reasons) {
        assert!(fires_event_triggers(&mut client, tag), "{tag}");
    }
    for tag in WITHOUT_EVENT_TRIGGER.iter().map(|(tag, _)| tag).chain(NEITHER) {
        assert!(!fires_event_triggers(&mut client, tag), "{tag}");
    }
    let mut missed = Vec::new();
    for (tag, example) in FOLLOWED.iter().chain(WITHOUT_EVENT_TRIGGER) {
        let (first, rest) = tag.split_once(' ').expect("two words");
        let words = |text: &str| text.replace("OR REPLACE ", "").replace("DEFAULT ", "");
        let role = rest == "ROLE";
        assert!(
            words(example).starts_with(if role { first } else { tag }),
            "{example} is an example of {tag}"
        );
        client.run(&format!("BEGIN; {example}"));
        let logged = client.one::<i64>("SELECT count(*) FROM pg_tview_queue");
        client.run("ROLLBACK");
        if logged == 0 {
            missed.push(example);
        }
    }
    assert!(missed.is_empty(), "no TVIEW is looked at after {missed:#?}");
}

fn fires_event_triggers(client: &mut Client, tag: &str) -> bool {
    let mut transaction = client.transaction().expect("BEGIN");
    let sql = format!(
        "CREATE EVENT TRIGGER listener ON ddl_command_end WHEN TAG IN ('{tag}') EXECUTE FUNCTION listener()"
    );
    match transaction.batch_execute(&sql) {
        Ok(()) => true,
        Err(error) => {
            let code = error.code().map(|code| code.code().to_string());
            assert_eq!(code.as_deref(), Some("0A000"), "{tag}: {error:?}");
            false
        }
    }
}
