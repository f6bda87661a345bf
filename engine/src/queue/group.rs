//! Ordered groups of one lane: one member in flight, the others in line.
//!
//! Invariant: a group exists only while it has a head, which is the member that is ready, leased or
//! retrying. A head that retries keeps its place, so nobody overtakes it.

use std::collections::HashMap;

use crate::queue::hash::GroupHash;
use crate::queue::line::Line;
use crate::types::JobId;

/// Hash, head and line of every group.
#[cfg(test)]
pub(crate) type Contents = Vec<(GroupHash, JobId, Vec<(u64, JobId)>)>;

#[derive(Debug)]
struct Group {
    head: JobId,
    waiting: Line,
}

#[derive(Debug, Default)]
pub(crate) struct Groups {
    busy: HashMap<GroupHash, Group>,
}

impl Groups {
    #[cfg(test)]
    pub(crate) fn head(&self, group: GroupHash) -> Option<JobId> {
        self.busy.get(&group).map(|group| group.head)
    }

    /// Makes a job the head of its idle group; `false` when another job is.
    pub(crate) fn hold(&mut self, group: GroupHash, id: JobId) -> bool {
        let held = self.busy.entry(group).or_insert_with(|| Group { head: id, waiting: Line::default() });
        held.head == id
    }

    /// Puts a job at the end of the line of a busy group; `false` when the group is idle.
    pub(crate) fn wait(&mut self, group: GroupHash, turn: u64, id: JobId) -> bool {
        let Some(busy) = self.busy.get_mut(&group) else { return false };
        busy.waiting.push(turn, id);
        true
    }

    /// Lets a waiting job leave the line.
    pub(crate) fn leave(&mut self, group: GroupHash, turn: u64) {
        if let Some(busy) = self.busy.get_mut(&group) {
            busy.waiting.remove(turn);
        }
    }

    /// Ends the headship of `id`, if it has it. The first in line, if any, is the new head.
    pub(crate) fn release(&mut self, group: GroupHash, id: JobId) -> Option<(u64, JobId)> {
        let busy = self.busy.get_mut(&group).filter(|busy| busy.head == id)?;
        let next = busy.waiting.pop();
        match next {
            Some((_, next)) => busy.head = next,
            None => {
                self.busy.remove(&group);
            }
        }
        next
    }

    /// Every group in order of its hash: head, then the line.
    #[cfg(test)]
    pub(crate) fn list(&self) -> Contents {
        let mut all: Vec<_> = self
            .busy
            .iter()
            .map(|(hash, group)| (*hash, group.head, group.waiting.iter().collect()))
            .collect();
        all.sort();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_head_at_a_time_in_order_of_joining() {
        let mut groups = Groups::default();
        let group = GroupHash::of("subscriber-7");
        let ids: Vec<JobId> = (1..=4).map(JobId::new).collect();
        assert!(!groups.wait(group, 1, ids[1]));
        assert!(groups.hold(group, ids[0]));
        assert!(groups.hold(group, ids[0]));
        assert!(!groups.hold(group, ids[1]));
        for (turn, id) in (1..).zip(&ids[1..]) {
            assert!(groups.wait(group, turn, *id));
        }
        groups.leave(group, 2);
        assert_eq!(groups.release(group, ids[1]), None, "only the head can release");
        assert_eq!(groups.release(group, ids[0]), Some((1, ids[1])));
        assert_eq!(groups.release(group, ids[1]), Some((3, ids[3])));
        assert_eq!(groups.release(group, ids[3]), None);
        assert_eq!(groups.head(group), None);
    }
}
