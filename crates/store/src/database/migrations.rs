//! How a database comes to its tables: one set of steps for each kind, of the same meaning.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// One step: its number, what it brings, and how each database says it.
struct Step {
    version: i64,
    about: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! step {
    ($version:literal, $about:literal, $file:literal) => {
        Step {
            version: $version,
            about: $about,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $file)),
            postgres: include_str!(concat!("../../migrations/postgres/", $file)),
        }
    };
}

const STEPS: [Step; 2] = [
    step!(
        1,
        "threads, events, reports, audit",
        "0001_threads_events_reports_audit.sql"
    ),
    step!(2, "API keys", "0002_api_keys.sql"),
];

pub(super) fn sqlite() -> Migrator {
    migrator(|step| step.sqlite)
}

pub(super) fn postgres() -> Migrator {
    migrator(|step| step.postgres)
}

fn migrator(sql: impl Fn(&Step) -> &'static str) -> Migrator {
    let steps = STEPS.iter().map(|step| {
        let text = sql(step).into_sql_str();
        Migration::new(
            step.version,
            step.about.into(),
            MigrationType::Simple,
            text,
            false,
        )
    });
    Migrator::with_migrations(steps.collect())
}
