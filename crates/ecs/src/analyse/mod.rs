//! From an observation to findings: one small pure function a failure mode or tight family.

mod finding;
mod grounding;

pub use finding::{Citation, Confidence, Diagnosis, Finding, Role, TimelineEntry, Verdict};
pub use grounding::{GroundError, ground};

use crate::catalogue::Catalogue;
use crate::observation::Observation;

/// Finds what is wrong with the service, and why.
#[must_use]
pub fn analyse(observation: &Observation, _catalogue: &Catalogue) -> Diagnosis {
    Diagnosis {
        observed_at: observation.observed_at,
        verdict: Verdict::Inconclusive,
        summary: String::new(),
        healthy: false,
        findings: Vec::new(),
        gaps: observation.gaps.clone(),
        timeline: Vec::new(),
    }
}
