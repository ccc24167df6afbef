//! Everything that speaks to AWS goes through [`AwsClients`]: one set of clients an invocation.

mod clients;
mod ec2;
mod error;
mod reading;
mod text;
mod time;
mod xml;

pub use clients::{AwsClients, ClientsError};
pub use error::{AwsError, AwsErrorKind};
pub(crate) use reading::{Page, Pages, Reading, Receipt, Source, collect_pages};
pub use text::TextCleaner;
pub(crate) use time::moment;
pub(crate) use xml::Element;
