//! What follows from the state of the world: time moves, and tasks, targets and deployments with it.

use chrono::{DateTime, Utc};

use crate::world::World;

impl World {
    /// Moves virtual time forward to `to`, deriving everything that happens on the way.
    ///
    /// How the way is cut into calls makes no difference; a time in the past changes nothing.
    pub(crate) fn advance(&mut self, to: DateTime<Utc>) {
        if to > self.now {
            self.now = to;
        }
    }
}
