//! Everything that speaks to AWS goes through [`AwsClients`]: one set of clients an invocation.

mod clients;
mod ec2;
mod ec2_vpc;
mod ecs_json;
mod error;
mod reading;
mod text;
mod time;
mod xml;

pub use clients::{AwsClients, ClientsError};
pub(crate) use ec2_vpc::{InternetGatewaySnapshot, NetworkInterfaceSnapshot, VpcSnapshot};
pub use error::{AwsError, AwsErrorKind};
pub(crate) use reading::{Page, Pages, Reading, Receipt, Source, collect_pages};
pub use text::TextCleaner;
pub(crate) use time::moment;
pub(crate) use xml::Element;
