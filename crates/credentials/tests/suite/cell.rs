//! The ways an invocation ends: whichever it is, its context is cleared and its thread is gone.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ecs_agent_credentials::{Cell, CellError, ClearGuard, ContextState, CredentialContext};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::fake_aws::FakeAws;
use super::world::{ACCOUNT, by_label, context, given, observe, whoami};

/// How an invocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Return,
    Error,
    Panic,
    Cancel,
    TimeOut,
    DroppedFuture,
}

/// Where it is when it ends.
#[derive(Debug, Clone, Copy)]
enum Moment {
    BeforeFill,
    Filled,
    InACall,
}

#[tokio::test]
async fn every_exit_at_every_moment_clears_the_context_and_joins_the_thread() {
    use Exit::{Cancel, DroppedFuture, Error, Panic, Return, TimeOut};
    for exit in [Return, Error, Panic, Cancel, TimeOut, DroppedFuture] {
        for moment in [Moment::BeforeFill, Moment::Filled, Moment::InACall] {
            check(exit, moment).await;
        }
    }
}

async fn check(exit: Exit, moment: Moment) {
    let aws = FakeAws::start();
    let context = context(&aws.url());
    let inside = Arc::clone(&context);
    let user = aws.user(ACCOUNT);
    let cancel = CancellationToken::new();
    let (arrived, there) = oneshot::channel();
    let name = context.invocation().uuid().simple().to_string()[20..].to_owned();
    let cell = Cell::run(&name, cancel.clone(), move || async move {
        let _guard = ClearGuard::new(Arc::clone(&inside));
        match moment {
            Moment::BeforeFill => {}
            Moment::Filled | Moment::InACall => {
                let sources = given(&user).build();
                sources.fill(&inside, &by_label(), observe()).await.unwrap();
                assert_eq!(inside.describe().state, ContextState::Filled);
            }
        }
        let _ = arrived.send(());
        match moment {
            Moment::BeforeFill | Moment::Filled => leave(exit).await,
            Moment::InACall => {
                let calls = async {
                    loop {
                        whoami(&inside).await.unwrap();
                    }
                };
                tokio::select! { left = leave(exit) => left, () = calls => Ok(()) }
            }
        }
    });
    let outcome = match exit {
        Exit::Return | Exit::Error | Exit::Panic => Some(cell.await),
        Exit::Cancel => {
            let (outcome, ()) = tokio::join!(cell, async {
                there.await.unwrap();
                cancel.cancel();
            });
            Some(outcome)
        }
        Exit::TimeOut => tokio::time::timeout(Duration::from_millis(30), cell)
            .await
            .ok(),
        Exit::DroppedFuture => {
            let mut cell = Box::pin(cell);
            tokio::select! { _ = &mut cell => panic!("it ended by itself"), _ = there => {} }
            None
        }
    };
    let ended = match outcome {
        Some(Ok(Ok(()))) => Exit::Return,
        Some(Ok(Err("typed error"))) => Exit::Error,
        Some(Err(CellError::Panicked)) => Exit::Panic,
        Some(Err(CellError::Cancelled)) => Exit::Cancel,
        None if exit == Exit::TimeOut => Exit::TimeOut,
        None => Exit::DroppedFuture,
        Some(other) => panic!("{exit:?} at {moment:?}: {other:?}"),
    };
    assert_eq!(ended, exit, "at {moment:?}");
    // A time-out may strike before the cell has made its guard; nothing was filled then.
    let state = context.describe().state;
    let never_filled = exit == Exit::TimeOut && state == ContextState::Empty;
    assert!(
        state == ContextState::Cleared || never_filled,
        "{exit:?} at {moment:?}: {state:?}"
    );
    assert!(is_gone(&name), "{exit:?} at {moment:?} left its thread");
}

async fn leave(exit: Exit) -> Result<(), &'static str> {
    match exit {
        Exit::Return => Ok(()),
        Exit::Error => Err("typed error"),
        Exit::Panic => panic!("in a tool"),
        Exit::Cancel | Exit::TimeOut | Exit::DroppedFuture => pending().await,
    }
}

/// Waits until no thread has this name: the kernel lists a joined thread for a moment longer.
fn is_gone(name: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while threads().iter().any(|thread| thread == name) {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

/// Lists the names of this process's threads.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}

#[tokio::test]
async fn a_cell_s_future_need_not_be_send_and_may_spawn_locally() {
    let value = Cell::run("local", CancellationToken::new(), || async {
        let shared = std::rc::Rc::new(41);
        let spawned = tokio::spawn(async { 1 });
        *shared + spawned.await.unwrap()
    });
    assert_eq!(value.await.unwrap(), 42);
}

#[tokio::test]
async fn cancelling_one_cell_leaves_its_token_s_other_users_alone() {
    let cancel = CancellationToken::new();
    drop(Cell::run("one", cancel.clone(), pending::<()>));
    let polled = Box::pin(Cell::run("two", cancel.clone(), pending::<()>));
    assert!(
        tokio::time::timeout(Duration::from_millis(5), polled)
            .await
            .is_err()
    );
    assert!(!cancel.is_cancelled());
}

#[tokio::test]
async fn tasks_left_on_the_cell_end_with_it() {
    struct Flag(Arc<CredentialContext>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.clear();
        }
    }
    let context = context("http://127.0.0.1:9");
    let flag = Flag(Arc::clone(&context));
    let cell = Cell::run("tasks", CancellationToken::new(), move || async move {
        tokio::spawn(async move {
            let _flag = flag;
            pending::<()>().await;
        });
    });
    cell.await.unwrap();
    assert!(context.is_cleared());
}
