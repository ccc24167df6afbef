//! What heals a scenario's service and what does not, and whether that is so.

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Deserialize;

use super::review::Flaw;
use super::{Change, Scenario, Simulation};

/// Healing takes at most this long: the longest back-off, a slow start, draining.
const PATIENCE: TimeDelta = TimeDelta::minutes(15);

/// What heals the service and what does not; both are played when the scenario is checked.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repairs {
    /// Repairs that heal, each a list of changes and each enough: two that differ, where two exist.
    pub(crate) right: Vec<Vec<Change>>,
    /// Why there is no second one that differs.
    #[serde(default)]
    pub(crate) only: Option<String>,
    /// Lists of changes that look like a repair and heal nothing.
    pub(crate) wrong: Vec<Vec<Change>>,
}

impl Scenario {
    /// What the repairs say that cannot be, without playing them.
    pub(super) fn repair_flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let Some(repairs) = &self.repairs else {
            return flaws;
        };
        if !self.truth.repairable {
            let problem = "are there, and `truth.repairable` is false: say which of them holds";
            flaws.push(Flaw::new("repairs", problem));
        }
        match (repairs.right.len(), &repairs.only) {
            (0, _) => flaws.push(Flaw::new("repairs.right", "is empty; name what heals")),
            (1, None) => {
                let problem = "names one repair: add one that differs, or say in `repairs.only` why \
                               there is none";
                flaws.push(Flaw::new("repairs.right", problem));
            }
            (2.., Some(_)) => {
                let problem = "says that there is one repair, and `repairs.right` names more";
                flaws.push(Flaw::new("repairs.only", problem));
            }
            (1, Some(_)) | (2.., None) => {}
        }
        if repairs.wrong.is_empty() {
            let problem = "is empty; name what looks like a repair and heals nothing";
            flaws.push(Flaw::new("repairs.wrong", problem));
        }
        let distinct =
            repairs.right.iter().enumerate().filter(|(index, one)| {
                repairs.right.iter().take(*index).any(|other| other == *one)
            });
        for (index, _) in distinct {
            let problem = "is the same as one before it";
            flaws.push(Flaw::new(format!("repairs.right[{index}]"), problem));
        }
        flaws
    }

    /// Plays every repair: the right ones must heal and touch nothing else, the wrong ones not heal.
    pub(super) fn played(&self, simulation: &Simulation) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let Some(repairs) = &self.repairs else {
            return flaws;
        };
        for (index, changes) in repairs.right.iter().enumerate() {
            let at = format!("repairs.right[{index}]");
            let (report, refused) = self.play(simulation, changes);
            if let Some((index, refusal)) = refused {
                flaws.push(Flaw::new(
                    format!("{at}[{index}]"),
                    format!("is refused: {refusal}"),
                ));
            } else if !report.healthy {
                let problem = format!("does not heal: {}", report.problems.join("; "));
                flaws.push(Flaw::new(&at, problem));
            }
            if !report.bystanders_untouched && !changes.iter().any(Change::is_shared) {
                let problem = format!(
                    "touches what is not the service's: {}",
                    report.touched.join(", ")
                );
                flaws.push(Flaw::new(&at, problem));
            }
        }
        for (index, changes) in repairs.wrong.iter().enumerate() {
            // AWS may refuse a wrong repair: that heals nothing either.
            let (report, _) = self.play(simulation, changes);
            if report.healthy {
                let problem = "heals: it belongs to `repairs.right`";
                flaws.push(Flaw::new(format!("repairs.wrong[{index}]"), problem));
            }
        }
        flaws
    }

    fn play(
        &self,
        simulation: &Simulation,
        changes: &[Change],
    ) -> (crate::oracle::HealthReport, Option<(usize, String)>) {
        let mut world = simulation.world.clone();
        let (account, region) = self.target_place();
        let mut refused = None;
        for (index, change) in changes.iter().enumerate() {
            if let Err(refusal) = change.apply(&mut world, &account, &region) {
                refused.get_or_insert((index, refusal));
            }
        }
        let end = world.now + PATIENCE;
        world.advance(end);
        (simulation.baseline.judge(&world), refused)
    }
}

impl Change {
    /// Whether it makes or changes something that is not one service's alone.
    const fn is_shared(&self) -> bool {
        matches!(
            self,
            Self::PushImage { .. }
                | Self::SetSecretKeys { .. }
                | Self::RestoreSecret { .. }
                | Self::AddEndpoints
                | Self::OpenEndpoints
                | Self::OpenBalancers
                | Self::AllowInNetworkAcls
        )
    }
}
