//! Every event and span of every library, at every level, written to a file.
//!
//! The shipped log caps the libraries that see secrets at `info`; this one does not.

use std::fmt::{Debug, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

/// What is written at most; many invocations say the same things many times.
const LONGEST: usize = 16 << 20;

struct EveryTarget {
    file: Mutex<File>,
    written: AtomicUsize,
    spans: AtomicU64,
}

/// Starts the trace of this process.
pub(super) fn start(path: &Path) {
    let everything = EveryTarget {
        file: Mutex::new(File::create(path).unwrap()),
        written: AtomicUsize::new(0),
        spans: AtomicU64::new(1),
    };
    tracing::subscriber::set_global_default(everything).unwrap();
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl EveryTarget {
    fn write(&self, what: &str, of: &Metadata<'_>, record: impl FnOnce(&mut Line)) {
        let place = format!("{what} {} {} {}", of.level(), of.target(), of.name());
        let mut line = Line(place);
        record(&mut line);
        line.0.push('\n');
        self.written.fetch_add(line.0.len(), Ordering::Relaxed);
        let mut file = self.file.lock().unwrap();
        file.write_all(line.0.as_bytes()).unwrap();
    }
}

impl Subscriber for EveryTarget {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        self.written.load(Ordering::Relaxed) < LONGEST
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.write("span", span.metadata(), |line| span.record(line));
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut line = Line(format!("span {}", span.into_u64()));
        values.record(&mut line);
        line.0.push('\n');
        self.file
            .lock()
            .unwrap()
            .write_all(line.0.as_bytes())
            .unwrap();
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.write("event", event.metadata(), |line| event.record(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
