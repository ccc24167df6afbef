//! The scenarios that come with the program.

use include_dir::{Dir, include_dir};

use super::{Scenario, ScenarioError};
use crate::oracle::Baseline;
use crate::world::World;

const FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../scenarios");

/// A scenario that is ready to run: its world at the start, and what the oracle compares with.
#[derive(Clone, Debug)]
pub(crate) struct Simulation {
    pub(crate) world: World,
    pub(crate) baseline: Baseline,
}

impl Scenario {
    /// The built-in scenarios' names in alphabetical order.
    #[must_use]
    pub fn names() -> Vec<String> {
        let mut names: Vec<String> = FILES
            .files()
            .filter(|file| {
                file.path()
                    .extension()
                    .is_some_and(|extension| extension == "yaml")
            })
            .filter_map(|file| file.path().file_stem())
            .map(|stem| stem.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// A built-in scenario.
    ///
    /// # Errors
    /// [`ScenarioError::Unknown`] lists the names that exist.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        let file = format!("{name}.yaml");
        let text = FILES
            .get_file(&file)
            .and_then(include_dir::File::contents_utf8);
        let text = text.ok_or_else(|| ScenarioError::Unknown {
            name: name.to_owned(),
            known: Self::names().join(", "),
        })?;
        Self::parse(&file, text)
    }

    /// A scenario for proofs of isolation: every account and region holds a service of the same
    /// name in a cluster of the same name, all with the same fault.
    ///
    /// # Errors
    /// Never for sensible arguments: the result is checked like any scenario.
    pub fn isolation(accounts: usize, regions: &[&str]) -> Result<Self, ScenarioError> {
        let mut scenario = Self::named("demo")?;
        scenario.name = "isolation".to_owned();
        scenario.title = format!(
            "{accounts} accounts in {} regions with the same names",
            regions.len()
        );
        let Some(model) = scenario.accounts.first().cloned() else {
            return Ok(scenario);
        };
        let region_model = model.regions.first().cloned();
        scenario.accounts = (0..accounts)
            .map(|number| {
                let mut account = model.clone();
                account.id = format!("{:012}", 200_000_000_000_u64 + number as u64 * 1_000_003);
                account.regions = regions
                    .iter()
                    .filter_map(|name| {
                        let mut region = region_model.clone()?;
                        region.name = (*name).to_owned();
                        Some(region)
                    })
                    .collect();
                account
            })
            .collect();
        scenario.everywhere = true;
        scenario.check_again()?;
        Ok(scenario)
    }
}
