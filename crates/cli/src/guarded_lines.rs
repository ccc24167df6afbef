//! A writer that lets whole lines out, each once the leak guard has seen it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use ecs_agent_credentials::{LeakBlocked, LeakGuard, Sink};
use tracing_subscriber::fmt::MakeWriter;

/// Longest piece that is kept back for the end of its line.
const LONGEST_LINE_BYTES: usize = 256 * 1024;

/// What stays of a line that is too long to be kept: more than the guard needs in a row.
const OVERLAP_BYTES: usize = 64;

/// Makes writers that share one unfinished line, so that a secret in two writes is still one.
#[derive(Debug)]
pub(crate) struct GuardedLines<M> {
    inner: M,
    guard: Arc<LeakGuard>,
    line: Mutex<Vec<u8>>,
}

impl<M> GuardedLines<M> {
    pub(crate) const fn new(inner: M, guard: Arc<LeakGuard>) -> Self {
        Self {
            inner,
            guard,
            line: Mutex::new(Vec::new()),
        }
    }
}

impl<'a, M: MakeWriter<'a> + 'a> MakeWriter<'a> for GuardedLines<M> {
    type Writer = GuardedWriter<'a, M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        GuardedWriter {
            inner: self.inner.make_writer(),
            guard: &self.guard,
            line: &self.line,
        }
    }
}

/// One writer of [`GuardedLines`].
#[derive(Debug)]
pub(crate) struct GuardedWriter<'a, W> {
    inner: W,
    guard: &'a LeakGuard,
    line: &'a Mutex<Vec<u8>>,
}

impl<W: Write> Write for GuardedWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.extend_from_slice(bytes);
        let whole = match line.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if line.len() > LONGEST_LINE_BYTES => line.len() - OVERLAP_BYTES,
            None => return Ok(bytes.len()),
        };
        let kept = line.get(whole..).unwrap_or_default().to_vec();
        // With what is kept back: a secret may go on there.
        let inspected = self.guard.inspect(Sink::Log, &line);
        line.truncate(whole);
        let out = std::mem::replace(&mut *line, kept);
        match inspected {
            Ok(()) => self.inner.write_all(&out)?,
            Err(_blocked) => {
                // What is kept back may be the rest of the secret.
                line.clear();
                writeln!(self.inner, "{}", LeakBlocked::NOTICE)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use ecs_agent_credentials::{
        CredentialContext, Endpoints, InvocationId, SecretText, Sources, StaticCredentials,
    };

    use super::*;

    /// AWS's documented example.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What reaches the log of these writes, with and without the guard knowing the secret.
    fn written(writes: &[&str], armed: bool) -> (String, u64) {
        let guard = LeakGuard::new();
        let invocation = InvocationId::new(uuid::Uuid::now_v7());
        let context =
            CredentialContext::guarded(invocation, None, Endpoints::Aws, Arc::clone(&guard));
        let secret = SecretText::from(SECRET.to_owned());
        let keys = StaticCredentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None).unwrap();
        let sources = Sources::builder().with_static("given", keys).build();
        let sources = if armed {
            sources.watched_by(&context)
        } else {
            sources
        };
        let out = Shared::default();
        let inner = out.clone();
        let lines = GuardedLines::new(move || inner.clone(), Arc::clone(&guard));
        for write in writes {
            lines.make_writer().write_all(write.as_bytes()).unwrap();
        }
        drop(sources);
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        (text, guard.hits_at(Sink::Log))
    }

    #[test]
    fn a_secret_in_the_log_is_withheld_also_in_two_writes() {
        let (head, tail) = SECRET.split_at(11);
        for writes in [
            vec![
                "before\n".to_owned(),
                format!("key={SECRET} done\n"),
                "after\n".to_owned(),
            ],
            vec![
                "before\nkey=".to_owned() + head,
                tail.to_owned() + " done\n",
                "after\n".to_owned(),
            ],
        ] {
            let writes: Vec<&str> = writes.iter().map(String::as_str).collect();
            let expected = format!("before\n{}\nafter\n", LeakBlocked::NOTICE);
            assert_eq!(written(&writes, true), (expected, 1));
            // The positive control: without its secret the guard lets it through.
            let (text, hits) = written(&writes, false);
            assert!(text.contains(SECRET) && hits == 0);
        }
    }

    #[test]
    fn a_line_without_end_is_let_out_in_pieces_and_still_searched() {
        let long = "x".repeat(LONGEST_LINE_BYTES);
        let (head, tail) = SECRET.split_at(10);
        let writes = [long.as_str(), head, tail, "\n"];
        let (text, hits) = written(&writes, true);
        assert!(!text.contains(SECRET) && !text.contains(tail), "{hits}");
        assert_eq!(hits, 1);
    }
}
