//! A stand-in for AWS on the loopback interface: it verifies signatures, keeps accounts apart and
//! notes every request. It answers STS and one EC2 operation, no more than these tests need.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

/// A principal: whoever holds these keys.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) key_id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) account: String,
    pub(crate) arn: String,
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) key_id: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) signature_ok: bool,
}

impl Seen {
    pub(crate) fn action(&self) -> &str {
        &self.params["Action"]
    }
}

/// What to answer instead of the real answer.
#[derive(Debug, Clone)]
pub(crate) enum Mishap {
    Error(u16, &'static str),
    Html,
    HangUp,
}

#[derive(Debug)]
struct State {
    principals: HashMap<String, Principal>,
    /// Role ARN to the external id that its trust policy asks for.
    roles: HashMap<String, String>,
    seen: Vec<Seen>,
    mishaps: VecDeque<Mishap>,
    lifetimes: VecDeque<TimeDelta>,
    clock: TimeDelta,
    /// A word in every error body that no error text of ours may repeat.
    marker: String,
}

#[derive(Debug)]
pub(crate) struct FakeAws {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl FakeAws {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            principals: HashMap::new(),
            roles: HashMap::new(),
            seen: Vec::new(),
            mishaps: VecDeque::new(),
            lifetimes: VecDeque::new(),
            clock: TimeDelta::zero(),
            marker: random_text(20),
        }));
        let shared = Arc::clone(&state);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let listener = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Acquire) {
                    break;
                }
                let shared = Arc::clone(&shared);
                let stream = stream.unwrap();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self {
            address,
            state,
            stop,
            listener: Some(listener),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes an IAM user with static keys.
    pub(crate) fn user(&self, account: &str) -> Principal {
        let principal = Principal {
            key_id: format!("AKIA{}", random_key_id()),
            secret: random_text(40),
            token: None,
            account: account.to_owned(),
            arn: format!("arn:aws:iam::{account}:user/engineer"),
        };
        self.lock()
            .principals
            .insert(principal.key_id.clone(), principal.clone());
        principal
    }

    /// Makes a role that asks for an external id.
    pub(crate) fn role(&self, account: &str, external_id: &str) -> String {
        let arn = format!("arn:aws:iam::{account}:role/ecs-deep-agent");
        self.lock()
            .roles
            .insert(arn.clone(), external_id.to_owned());
        arn
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    pub(crate) fn actions(&self) -> Vec<String> {
        self.lock()
            .seen
            .iter()
            .map(|seen| seen.action().to_owned())
            .collect()
    }

    /// Returns the principal that holds `key_id`.
    pub(crate) fn holder(&self, key_id: &str) -> Option<Principal> {
        self.lock().principals.get(key_id).cloned()
    }

    pub(crate) fn next_answers(&self, mishaps: impl IntoIterator<Item = Mishap>) {
        self.lock().mishaps.extend(mishaps);
    }

    /// Sets how long the next sessions live; afterwards it is what they asked for.
    pub(crate) fn next_lifetimes(&self, lifetimes: impl IntoIterator<Item = TimeDelta>) {
        self.lock().lifetimes.extend(lifetimes);
    }

    /// Sets how far the service's clock is ahead.
    pub(crate) fn set_clock_ahead(&self, by: TimeDelta) {
        self.lock().clock = by;
    }

    pub(crate) fn marker(&self) -> String {
        self.lock().marker.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for FakeAws {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the listener, so that it sees the sign.
        drop(TcpStream::connect(self.address));
        self.listener.take().unwrap().join().unwrap();
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = Request::read(&mut reader) {
        let Some(answer) = answer(&request, &mut state.lock().unwrap()) else {
            return;
        };
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

struct Request {
    headers: BTreeMap<String, String>,
    body: String,
}

impl Request {
    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        assert!(line.starts_with("POST / HTTP/1.1"), "{line}");
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers
            .get("content-length")
            .map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).unwrap();
        Some(Self { headers, body })
    }

    fn seen(&self, state: &State) -> Seen {
        let authorization = &self.headers["authorization"];
        let scope = between(authorization, "Credential=", ",");
        let scope: Vec<&str> = scope.split('/').collect();
        let pairs = self.body.split('&').filter_map(|pair| pair.split_once('='));
        Seen {
            key_id: scope[0].to_owned(),
            region: scope[2].to_owned(),
            service: scope[3].to_owned(),
            params: pairs
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
            signature_ok: state
                .principals
                .get(scope[0])
                .is_some_and(|principal| self.is_signed_by(principal, scope[2], scope[3])),
        }
    }

    /// Signs the same request again and compares.
    fn is_signed_by(&self, principal: &Principal, region: &str, service: &str) -> bool {
        if self.headers.get("x-amz-security-token") != principal.token.as_ref() {
            return false;
        }
        let authorization = &self.headers["authorization"];
        let added_by_signer = ["host", "x-amz-date", "x-amz-security-token"];
        let names = between(authorization, "SignedHeaders=", ",");
        let headers = names
            .split(';')
            .filter(|name| !added_by_signer.contains(name))
            .map(|name| (name, self.headers[name].as_str()));
        let date = NaiveDateTime::parse_from_str(&self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ");
        let keys = Credentials::new(
            &principal.key_id,
            &principal.secret,
            principal.token.clone(),
            None,
            "test",
        );
        let identity = keys.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(date.unwrap().and_utc().into())
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let url = format!("http://{}/", self.headers["host"]);
        let body = SignableBody::Bytes(self.body.as_bytes());
        let request = SignableRequest::new("POST", url, headers, body).unwrap();
        let signed = sign(request, &params).unwrap();
        between(authorization, "Signature=", ",") == signed.signature()
    }
}

fn answer(request: &Request, state: &mut State) -> Option<String> {
    let seen = request.seen(state);
    state.seen.push(seen.clone());
    let now = Utc::now() + state.clock;
    match state.mishaps.pop_front() {
        Some(Mishap::Error(status, code)) => return Some(error(state, now, status, code)),
        Some(Mishap::Html) => {
            return Some(http(
                now,
                200,
                "<html><body>a proxy's greeting</body></html>",
            ));
        }
        Some(Mishap::HangUp) => return None,
        None => {}
    }
    let Some(principal) = state.principals.get(&seen.key_id).cloned() else {
        return Some(error(state, now, 403, "InvalidClientTokenId"));
    };
    if !seen.signature_ok {
        return Some(error(state, now, 403, "SignatureDoesNotMatch"));
    }
    Some(match seen.action() {
        "GetCallerIdentity" => http(
            now,
            200,
            &format!(
                "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{}</Arn>\
                 <UserId>u</UserId><Account>{}</Account></GetCallerIdentityResult>\
                 </GetCallerIdentityResponse>",
                principal.arn, principal.account
            ),
        ),
        "AssumeRole" => assume_role(&seen, state, now),
        "DescribeSubnets" => http(
            now,
            200,
            "<DescribeSubnetsResponse><subnetSet/></DescribeSubnetsResponse>",
        ),
        _ => error(state, now, 400, "InvalidAction"),
    })
}

fn assume_role(seen: &Seen, state: &mut State, now: DateTime<Utc>) -> String {
    let role = &seen.params["RoleArn"];
    let trusted = state
        .roles
        .get(role)
        .is_some_and(|id| seen.params.get("ExternalId") == Some(id));
    if !trusted {
        return error(state, now, 403, "AccessDenied");
    }
    let asked = TimeDelta::seconds(seen.params["DurationSeconds"].parse().unwrap());
    let lifetime = state.lifetimes.pop_front().unwrap_or(asked);
    let account = role.split(':').nth(4).unwrap();
    let session = Principal {
        key_id: format!("ASIA{}", random_key_id()),
        secret: random_text(40),
        token: Some(random_text(640)),
        account: account.to_owned(),
        arn: format!(
            "arn:aws:sts::{account}:assumed-role/ecs-deep-agent/{}",
            seen.params["RoleSessionName"]
        ),
    };
    state
        .principals
        .insert(session.key_id.clone(), session.clone());
    let end = (now + lifetime).format("%Y-%m-%dT%H:%M:%SZ");
    http(
        now,
        200,
        &format!(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>{}</AccessKeyId>\
             <SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken>\
             <Expiration>{end}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
            session.key_id,
            session.secret,
            session.token.as_ref().unwrap(),
        ),
    )
}

fn error(state: &State, now: DateTime<Utc>, status: u16, code: &str) -> String {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{}</Message></Error>\
         </ErrorResponse>",
        state.marker
    );
    http(now, status, &body)
}

fn http(now: DateTime<Utc>, status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-type: text/xml\r\nx-amzn-requestid: {}\r\n\
         date: {}\r\ncontent-length: {}\r\n\r\n{body}",
        random_text(12),
        now.format("%a, %d %b %Y %H:%M:%S GMT"),
        body.len()
    )
}

fn between<'a>(text: &'a str, after: &str, before: &str) -> &'a str {
    let rest = text.split_once(after).unwrap().1;
    rest.split(before).next().unwrap()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                let digits = std::str::from_utf8(&digits).unwrap().to_owned();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap());
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Generates text that no other test, run or file contains.
pub(crate) fn random_text(len: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = vec![0; len];
    getrandom::fill(&mut bytes).unwrap();
    bytes
        .iter()
        .map(|b| char::from(ALPHABET[usize::from(b % 64)]))
        .collect()
}

fn random_key_id() -> String {
    let text = random_text(64).to_ascii_uppercase();
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(16)
        .collect()
}
