//! Every column of every catalog that a value can depend on: changed by hand, it changes the fingerprint of what can change
//! a row, or there is a reason why not. A column that a later PostgreSQL adds is unknown here, and the test fails.

use postgres::types::Type;
use postgres::{Client, Transaction};

use super::OBJECTS;
use crate::harness::{shared, Ask, Database, VERSION};

const FINGERPRINT: &str = include_str!("../../../sql/statements/fingerprint.sql");

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
