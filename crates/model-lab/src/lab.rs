//! The server.

use std::collections::VecDeque;
use std::fmt;
use std::future::IntoFuture as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::answer::{Answer, Failure, Reply};
use crate::delivery::{self, Delivered, Piece};
use crate::figures::Figures;
use crate::form::Form;
use crate::ledger::Exchange;
use crate::turn::{Turn, tokens};

/// Largest request that is read.
const LARGEST_REQUEST: usize = 64 << 20;

/// How the lab is set up.
#[derive(Debug, Clone)]
pub struct LabSettings {
    /// The key that opens it.
    pub key: String,
    /// Tokens that a request may have.
    pub window: u64,
}

/// What the lab answers to each request.
pub struct Script(Box<dyn Fn(&Turn) -> Answer + Send + Sync>);

impl Script {
    /// By a function of the request.
    pub fn from_fn(answer: impl Fn(&Turn) -> Answer + Send + Sync + 'static) -> Self {
        Self(Box::new(answer))
    }

    /// These, one after another, whoever asks; then errors that say that there are no more.
    pub fn in_order(answers: impl IntoIterator<Item = Answer>) -> Self {
        let left: Mutex<VecDeque<Answer>> = Mutex::new(answers.into_iter().collect());
        Self::from_fn(move |_| {
            let next = locked(&left).pop_front();
            next.unwrap_or_else(|| {
                Answer::Failure(Failure::of(400, "the script of the lab has no answer left"))
            })
        })
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

/// Providers of language models, on a port of this machine. They are gone when it is dropped.
#[derive(Debug)]
pub struct ModelLab {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<io::Result<()>>,
}

#[derive(Debug)]
struct Shared {
    settings: LabSettings,
    script: Script,
    ledger: Mutex<Vec<Exchange>>,
}

impl ModelLab {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start(settings: LabSettings, script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            settings,
            script,
            ledger: Mutex::default(),
        });
        let ask = |form: Form| {
            post(
                move |State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes| async move {
                    shared.answer(form, &headers, &body)
                },
            )
        };
        let router = Form::ALL
            .into_iter()
            .fold(Router::new(), |router, form| {
                router.route(form.path(), ask(form))
            })
            .route("/lab/exchanges", get(exchanges))
            .layer(DefaultBodyLimit::max(LARGEST_REQUEST))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(
            axum::serve(
                // Small pieces leave at once.
                listener.tap_io(|stream| {
                    let _ = stream.set_nodelay(true);
                }),
                router,
            )
            .into_future(),
        );
        Ok(Self {
            address,
            shared,
            server,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base URL that a client of this form is given.
    #[must_use]
    pub fn base_url(&self, form: Form) -> String {
        match form {
            Form::Anthropic => self.url(),
            Form::Chat | Form::Responses => format!("{}/v1", self.url()),
        }
    }

    /// Every request so far and what became of it.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        locked(&self.shared.ledger).clone()
    }

    /// Every request so far that could be read, refused ones included.
    #[must_use]
    pub fn turns(&self) -> Vec<Turn> {
        let exchanges = self.exchanges().into_iter();
        exchanges.filter_map(|exchange| exchange.turn).collect()
    }

    /// The sum of all usage figures that arrived.
    #[must_use]
    pub fn told(&self) -> Figures {
        locked(&self.shared.ledger)
            .iter()
            .filter_map(|exchange| exchange.told)
            .fold(Figures::default(), Figures::plus)
    }
}

impl Drop for ModelLab {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn exchanges(State(shared): State<Arc<Shared>>) -> axum::Json<Vec<Exchange>> {
    axum::Json(locked(&shared.ledger).clone())
}

impl Shared {
    fn answer(&self, form: Form, headers: &HeaderMap, body: &Bytes) -> Response<Body> {
        if let Err(failure) = self.let_in(form, headers) {
            return self.refuse(form, None, &failure);
        }
        let Ok(read) = serde_json::from_slice::<Value>(body) else {
            let failure = Failure::of(400, "We could not parse the JSON body of your request.");
            return self.refuse(form, None, &failure);
        };
        let number = locked(&self.ledger).len();
        let (turn, fit) = form.read(number, read, body.len(), self.settings.window);
        if let Err(failure) = fit {
            return self.refuse(form, Some(turn), &failure);
        }
        let written = |reply: &Reply| {
            let figures = figures(&turn, reply).told_in(form);
            form.write(&turn, reply, figures)
        };
        let delivered = match (self.script.0)(&turn) {
            Answer::Reply(reply) => delivery::whole(written(&reply)),
            Answer::Cut(reply, cut) => delivery::cut(written(&reply), cut),
            Answer::FailsMidway(reply, failure) if turn.streamed => {
                let mut pieces = written(&reply);
                pieces.truncate(pieces.len() / 2);
                pieces.push(form.error_event(&failure));
                delivery::whole(pieces)
            }
            Answer::FailsMidway(_, failure) | Answer::Failure(failure) => {
                return self.refuse(form, Some(turn), &failure);
            }
            Answer::Page { content_type, text } => {
                let page = delivery::whole(vec![Piece::new(text)]);
                return self.send(200, &content_type, None, Some(turn), None, page);
            }
        };
        let content_type = match turn.streamed {
            true => "text/event-stream; charset=utf-8",
            false => "application/json",
        };
        self.send(200, content_type, None, Some(turn), None, delivered)
    }

    /// Whether the caller has the key, and says the version that the provider wants to hear.
    fn let_in(&self, form: Form, headers: &HeaderMap) -> Result<(), Failure> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = header(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        let (given, said) = match form {
            // Its newer clients send the one, its older ones the other.
            Form::Anthropic => (header("x-api-key").or(bearer), "invalid x-api-key"),
            Form::Chat | Form::Responses => (bearer, "Incorrect API key provided."),
        };
        if given != Some(self.settings.key.as_str()) {
            return Err(Failure::of(401, said));
        }
        if form == Form::Anthropic && header("anthropic-version").is_none() {
            return Err(Failure::of(400, "anthropic-version: header is required"));
        }
        Ok(())
    }

    fn refuse(&self, form: Form, turn: Option<Turn>, failure: &Failure) -> Response<Body> {
        let body = delivery::whole(vec![Piece::new(form.error(failure).to_string())]);
        let wait = failure.retry_after.as_deref();
        let words = Some(failure.message.clone());
        self.send(failure.status, "application/json", wait, turn, words, body)
    }

    fn send(
        &self,
        status: u16,
        content_type: &str,
        retry_after: Option<&str>,
        turn: Option<Turn>,
        refused: Option<String>,
        delivered: Delivered,
    ) -> Response<Body> {
        locked(&self.ledger).push(Exchange {
            turn,
            status,
            refused,
            told: delivered.told,
            ends: delivered.ends,
            is_whole: delivered.is_whole,
        });
        let mut response = Response::new(delivered.body);
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(content_type) {
            headers.insert(CONTENT_TYPE, value);
        }
        if let Some(value) = retry_after.and_then(|wait| HeaderValue::from_str(wait).ok()) {
            headers.insert(RETRY_AFTER, value);
        }
        response
    }
}

/// What an answer took: as its script says, or by the length of the texts.
fn figures(turn: &Turn, reply: &Reply) -> Figures {
    reply.figures.unwrap_or_else(|| {
        let calls = reply.calls.iter();
        let called: usize = calls
            .map(|call| call.name.len() + call.arguments.len())
            .sum();
        let said = reply.refusal.as_ref().unwrap_or(&reply.text).len();
        let thought = reply.reasoning.as_ref().map_or(0, String::len);
        Figures {
            input: turn.tokens,
            output: tokens(called + said + thought).max(1),
            ..Figures::default()
        }
    })
}

/// A panic of a test leaves nothing half-done behind these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
