//! PostgreSQL: a few connections on a thread of their own.
//!
//! A connection belongs to the runtime that it was made on, and invocations run on runtimes of
//! their own that come and go. So the connections live on one thread with one runtime, for as long
//! as the store does, and everybody else sends them work. A future that is dropped in the middle
//! leaves its statement to be finished there, and its transaction to be rolled back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::migrations;
use super::query::{Query, Row, Value, query};
use crate::error::OpenError;
use crate::tenant::TenantScope;

/// How many statements go on at the same time.
const CONNECTIONS: usize = 8;
/// How long one statement may take, waiting for locks included.
const STATEMENT_WITHIN: &str = "10s";
/// How long until an answer or the connection is given up.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// A client sends one piece of work and waits; only the end of a dropped transaction comes on top.
const QUEUE: usize = 4;

/// A PostgreSQL database.
pub(crate) struct Postgres {
    shared: Arc<Shared>,
    free: Arc<Semaphore>,
}

struct Shared {
    /// Lines to connections that nobody uses now.
    idle: Mutex<Vec<mpsc::Sender<Command>>>,
}

/// Something for a connection to do.
struct Command {
    work: Work,
    reply: Option<oneshot::Sender<Result<Done, sqlx::Error>>>,
}

enum Work {
    /// From now on speak for this tenant, or for none.
    Speak(Option<String>),
    Send(Query, Answer),
    BeginWrite(String),
    BeginRead,
    Commit,
    Rollback,
}

/// What is wanted of a statement.
#[derive(Clone, Copy)]
enum Answer {
    Rows,
    Changed,
}

#[derive(Default)]
struct Done {
    rows: Vec<Row>,
    changed: u64,
}

impl Postgres {
    /// Connects, and brings the tables up to date.
    pub(crate) async fn open(options: PgConnectOptions) -> Result<Self, OpenError> {
        let options = options
            .application_name("ecs-deep-agent")
            .options([
                ("statement_timeout", STATEMENT_WITHIN),
                ("idle_in_transaction_session_timeout", "60s"),
            ])
            .disable_statement_logging();
        let mut lines = Vec::new();
        let mut ends = Vec::new();
        for _ in 0..CONNECTIONS {
            let (line, end) = mpsc::channel(QUEUE);
            lines.push(line);
            ends.push(end);
        }
        let (opened, ready) = oneshot::channel();
        std::thread::Builder::new()
            .name("store-postgres".to_owned())
            .spawn(move || run(options, ends, opened))
            .map_err(OpenError::Thread)?;
        ready
            .await
            .map_err(|_| OpenError::Thread(std::io::Error::other("the thread ended")))??;
        Ok(Self {
            shared: Arc::new(Shared {
                idle: Mutex::new(lines),
            }),
            free: Arc::new(Semaphore::new(CONNECTIONS)),
        })
    }

    /// A connection that speaks for a tenant; for none where a tenant is still to be found.
    pub(crate) async fn client(&self, scope: Option<&TenantScope>) -> Result<Client, sqlx::Error> {
        let permit = Arc::clone(&self.free)
            .acquire_owned()
            .await
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let line = idle(&self.shared).pop().ok_or(sqlx::Error::PoolClosed)?;
        let client = Client {
            line,
            shared: Arc::clone(&self.shared),
            _permit: permit,
        };
        let tenant = scope.map(|scope| scope.as_str().to_owned());
        client.ask(Work::Speak(tenant)).await?;
        Ok(client)
    }
}

fn idle(shared: &Shared) -> std::sync::MutexGuard<'_, Vec<mpsc::Sender<Command>>> {
    shared.idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection, for one caller.
pub(crate) struct Client {
    line: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Client {
    fn drop(&mut self) {
        // INVARIANT: before the permit, so that whoever gets the permit finds a line.
        idle(&self.shared).push(self.line.clone());
    }
}

impl Client {
    pub(super) async fn execute(&self, query: Query) -> Result<u64, sqlx::Error> {
        let done = self.ask(Work::Send(query, Answer::Changed)).await?;
        Ok(done.changed)
    }

    pub(super) async fn rows(&self, query: Query) -> Result<Vec<Row>, sqlx::Error> {
        Ok(self.ask(Work::Send(query, Answer::Rows)).await?.rows)
    }

    pub(super) async fn begin_write(
        &mut self,
        about: &str,
    ) -> Result<OpenTransaction<'_>, sqlx::Error> {
        self.begin(Work::BeginWrite(about.to_owned())).await
    }

    pub(super) async fn begin_read(&mut self) -> Result<OpenTransaction<'_>, sqlx::Error> {
        self.begin(Work::BeginRead).await
    }

    async fn begin(&mut self, work: Work) -> Result<OpenTransaction<'_>, sqlx::Error> {
        // Made first: if this future is dropped while it waits, what it began is rolled back.
        let transaction = OpenTransaction {
            client: self,
            over: false,
        };
        transaction.client.ask(work).await?;
        Ok(transaction)
    }

    async fn ask(&self, work: Work) -> Result<Done, sqlx::Error> {
        let (reply, answer) = oneshot::channel();
        let command = Command {
            work,
            reply: Some(reply),
        };
        let gone = || sqlx::Error::WorkerCrashed;
        self.line.send(command).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// A transaction on one connection.
pub(crate) struct OpenTransaction<'c> {
    client: &'c Client,
    over: bool,
}

impl OpenTransaction<'_> {
    pub(super) async fn execute(&self, query: Query) -> Result<u64, sqlx::Error> {
        self.client.execute(query).await
    }

    pub(super) async fn rows(&self, query: Query) -> Result<Vec<Row>, sqlx::Error> {
        self.client.rows(query).await
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        // Once it is asked for, it is not taken back.
        self.over = true;
        self.client.ask(Work::Commit).await.map(drop)
    }
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let command = Command {
            work: Work::Rollback,
            reply: None,
        };
        // INVARIANT: there is room, see `QUEUE`. Were there none, the next `Speak` would roll back.
        let _full = self.client.line.try_send(command);
    }
}

/// The thread of the connections.
fn run(
    options: PgConnectOptions,
    ends: Vec<mpsc::Receiver<Command>>,
    opened: oneshot::Sender<Result<(), OpenError>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let _nobody_waits = opened.send(Err(OpenError::Thread(error)));
            return;
        }
    };
    runtime.block_on(async move {
        let first = match migrated(&options).await {
            Ok(connection) => connection,
            Err(error) => {
                let _nobody_waits = opened.send(Err(error));
                return;
            }
        };
        let _nobody_waits = opened.send(Ok(()));
        let mut first = Some(first);
        let mut connections = tokio::task::JoinSet::new();
        for end in ends {
            let line = Line {
                options: options.clone(),
                connection: first.take(),
                tenant: None,
                state: State::Plain,
            };
            connections.spawn(line.serve(end));
        }
        // Ends when the store is dropped, and with it the other ends of the lines.
        while connections.join_next().await.is_some() {}
    });
}

async fn migrated(options: &PgConnectOptions) -> Result<PgConnection, OpenError> {
    let database = place(options);
    let connecting = tokio::time::timeout(ANSWER_WITHIN, PgConnection::connect_with(options)).await;
    let mut connection = connecting
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        .map_err(|source| OpenError::Server {
            database: database.clone(),
            source,
        })?;
    migrations::postgres()
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|source| OpenError::Migration { database, source })?;
    warn_of_bypass(&mut connection).await;
    Ok(connection)
}

/// Where a database is: nothing of how one gets in.
pub(crate) fn place(options: &PgConnectOptions) -> String {
    let host = options.get_socket().map_or_else(
        || format!("{}:{}", options.get_host(), options.get_port()),
        |socket| socket.display().to_string(),
    );
    let name = options.get_database().unwrap_or(options.get_username());
    format!("postgres://{host}/{name}")
}

/// Row-level security is the second lock; a role that it does not hold has only the first.
async fn warn_of_bypass(connection: &mut PgConnection) {
    let role = sqlx::query_scalar::<_, bool>(
        "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user",
    );
    if let Ok(true) = role.fetch_one(connection).await {
        tracing::warn!(
            "the database role bypasses row-level security, the second lock between tenants; use \
             a role that is no superuser"
        );
    }
}

/// One connection and what is known of it.
struct Line {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// For whom the session speaks.
    tenant: Option<String>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    InTransaction,
    /// The connection was lost within a transaction: nothing of it goes on.
    Lost,
}

impl Line {
    async fn serve(mut self, mut end: mpsc::Receiver<Command>) {
        while let Some(Command { work, reply }) = end.recv().await {
            let done = self.within_time(work).await;
            if let Some(reply) = reply {
                let _nobody_waits = reply.send(done);
            }
        }
        if let Some(connection) = self.connection {
            // The server notices a closed connection by itself.
            let _closed = connection.close().await;
        }
    }

    async fn within_time(&mut self, work: Work) -> Result<Done, sqlx::Error> {
        let speaks = matches!(work, Work::Speak(_));
        let done = match tokio::time::timeout(ANSWER_WITHIN, self.perform(work)).await {
            Ok(done) => done,
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        };
        if let Err(error) = &done
            && is_broken(error)
        {
            self.connection = None;
            if self.state == State::InTransaction && !speaks {
                self.state = State::Lost;
            }
        }
        done
    }

    async fn perform(&mut self, work: Work) -> Result<Done, sqlx::Error> {
        match work {
            Work::Speak(tenant) => {
                if self.state != State::Plain {
                    self.rollback().await?;
                }
                self.tenant = tenant;
                // Every use begins with it, so it also finds out that a connection is gone.
                match self.speak().await {
                    Err(error) if is_broken(&error) => {
                        self.connection = None;
                        self.speak().await
                    }
                    spoken => spoken,
                }
            }
            Work::Send(query, answer) => send(self.connection().await?, query, answer).await,
            Work::BeginWrite(about) => {
                self.begin("BEGIN").await?;
                let lock = query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))");
                send(self.connection().await?, lock.bind(about), Answer::Rows).await
            }
            Work::BeginRead => {
                self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await
            }
            Work::Commit => {
                let done = send(self.connection().await?, query("COMMIT"), Answer::Changed).await?;
                self.state = State::Plain;
                Ok(done)
            }
            Work::Rollback => self.rollback().await,
        }
    }

    async fn speak(&mut self) -> Result<Done, sqlx::Error> {
        let tenant = self.tenant.clone().unwrap_or_default();
        let speak = query("SELECT set_config('ecs_deep_agent.tenant', $1, false)").bind(tenant);
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await?,
        };
        send(self.connection.insert(connection), speak, Answer::Rows).await
    }

    async fn begin(&mut self, how: &'static str) -> Result<Done, sqlx::Error> {
        let done = send(self.connection().await?, query(how), Answer::Changed).await?;
        self.state = State::InTransaction;
        Ok(done)
    }

    async fn rollback(&mut self) -> Result<Done, sqlx::Error> {
        let state = std::mem::replace(&mut self.state, State::Plain);
        match (state, &mut self.connection) {
            (State::InTransaction, Some(connection)) => {
                let rolled = send(connection, query("ROLLBACK"), Answer::Changed).await;
                if rolled.is_err() {
                    // A closed connection has rolled back.
                    self.connection = None;
                }
                Ok(Done::default())
            }
            (State::Plain | State::InTransaction | State::Lost, _) => Ok(Done::default()),
        }
    }

    /// The connection, made anew where there is none.
    async fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        if self.state == State::Lost {
            return Err(sqlx::Error::Protocol(
                "the connection was lost within a transaction".to_owned(),
            ));
        }
        if self.connection.is_none() {
            self.speak().await?;
        }
        self.connection.as_mut().ok_or(sqlx::Error::WorkerCrashed)
    }
}

async fn send(
    connection: &mut PgConnection,
    query: Query,
    answer: Answer,
) -> Result<Done, sqlx::Error> {
    let statement = bound(query);
    Ok(match answer {
        Answer::Rows => {
            let rows = statement.fetch_all(connection).await?;
            Done {
                rows: rows.into_iter().map(Row::Postgres).collect(),
                changed: 0,
            }
        }
        Answer::Changed => Done {
            rows: Vec::new(),
            changed: statement.execute(connection).await?.rows_affected(),
        },
    })
}

fn bound(query: Query) -> sqlx::query::Query<'static, sqlx::Postgres, PgArguments> {
    let statement = sqlx::query(query.sql);
    query
        .values
        .into_iter()
        .fold(statement, |statement, value| match value {
            Value::Text(text) => statement.bind(text),
            Value::OptionalText(text) => statement.bind(text),
            Value::Integer(number) => statement.bind(number),
        })
}

/// Whether a connection cannot be used after this.
fn is_broken(error: &sqlx::Error) -> bool {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a kind that is not known here does not break the connection"
    )]
    match error {
        // Source: PostgreSQL manual, appendix A: class 57P is operator intervention, 08 connections.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("57P") || code.starts_with("08")),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}
