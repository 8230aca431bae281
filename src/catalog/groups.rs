//! Which TVIEWs are refreshed together: the members of a group, and the TVIEWs of the same owner that feed them.

use std::collections::{BTreeMap, HashMap};

use pgrx::pg_sys::Oid;

use super::definition::Definition;
use super::feeds;

/// A TVIEW, as far as that decides with which others it is refreshed.
pub struct Grouped<'a> {
    pub tview: Oid,
    pub owner: Oid,
    pub group: Option<&'a str>,
    pub sources: &'a [Oid],
}

/// What a TVIEW is a member of. Whoever refreshes the members together has to know all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub group: String,
    pub members: i64,
}

/// The membership of each of all definitions, in their order.
pub fn memberships(definitions: &[Definition]) -> Vec<Option<Membership>> {
    let mut members: HashMap<&str, i64> = HashMap::new();
    let groups = || {
        definitions
            .iter()
            .map(|definition| definition.refresh_group.as_deref())
    };
    groups()
        .flatten()
        .for_each(|group| *members.entry(group).or_default() += 1);
    let membership = |group: &str| Membership {
        group: group.to_string(),
        members: members[group],
    };
    groups().map(|group| group.map(membership)).collect()
}

/// The TVIEWs that are refreshed together, in units: each after those that feed it. A TVIEW of none is refreshed
/// alone.
///
/// A member that reads the table of another TVIEW shows what that table shows. So the other one belongs to the unit,
/// whether or not it is a member; not if another role owns it, whose code must run in another process. Groups that
/// share a TVIEW are one unit.
pub fn units(tviews: &[Grouped]) -> Vec<Vec<Oid>> {
    let known: HashMap<Oid, &Grouped> = tviews.iter().map(|tview| (tview.tview, tview)).collect();
    let mut groups: BTreeMap<(&str, u32), Vec<Oid>> = BTreeMap::new();
    for tview in tviews {
        if let Some(group) = tview.group {
            let members = groups.entry((group, tview.owner.to_u32())).or_default();
            members.push(tview.tview);
        }
    }
    let mut units: Vec<Vec<Oid>> = Vec::new();
    for ((_, owner), members) in groups {
        let of_owner = |tview| known.get(&tview).filter(|known| known.owner.to_u32() == owner);
        let sources = |tview| of_owner(tview).map(|known| known.sources);
        let unit = feeds::sources_first(&members, sources);
        let (shared, mut apart): (Vec<_>, Vec<_>) = units
            .into_iter()
            .partition(|other| other.iter().any(|tview| unit.contains(tview)));
        let all: Vec<Oid> = shared.into_iter().flatten().chain(unit).collect();
        apart.push(feeds::sources_first(&all, sources));
        units = apart;
    }
    units.retain(|unit| unit.len() > 1);
    units
}

/// The same of definitions.
pub fn of(definitions: &[Definition]) -> Vec<Vec<Oid>> {
    // Most databases have no group.
    if definitions
        .iter()
        .all(|definition| definition.refresh_group.is_none())
    {
        return Vec::new();
    }
    let grouped: Vec<Grouped> = definitions
        .iter()
        .map(|definition| Grouped {
            tview: definition.tview,
            owner: definition.owner,
            group: definition.refresh_group.as_deref(),
            sources: &definition.sources,
        })
        .collect();
    units(&grouped)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TVIEW, owner, group, sources.
    type Row<'a> = (u32, u32, Option<&'a str>, &'a [u32]);

    fn units_of(rows: &[Row]) -> Vec<Vec<u32>> {
        let sources: Vec<Vec<Oid>> = rows
            .iter()
            .map(|row| row.3.iter().map(|source| Oid::from(*source)).collect())
            .collect();
        let grouped: Vec<Grouped> = rows
            .iter()
            .zip(&sources)
            .map(|((tview, owner, group, _), sources)| Grouped {
                tview: Oid::from(*tview),
                owner: Oid::from(*owner),
                group: *group,
                sources,
            })
            .collect();
        let units = units(&grouped).into_iter();
        units
            .map(|unit| unit.iter().map(|tview| tview.to_u32()).collect())
            .collect()
    }

    #[test]
    fn members_of_a_group_are_a_unit() {
        let rows: [Row; 4] = [
            (1, 9, Some("shop"), &[21]),
            (2, 9, None, &[21]),
            (3, 9, Some("shop"), &[22]),
            (4, 9, Some("alone"), &[22]),
        ];
        assert_eq!(units_of(&rows), [[1, 3]]);
        assert!(units_of(&[]).is_empty());
    }

    #[test]
    fn those_that_feed_a_member_belong_to_it_and_come_first() {
        let rows: [Row; 4] = [
            (1, 9, Some("shop"), &[2, 21]),
            (2, 9, None, &[3]),
            (3, 9, None, &[22]),
            (4, 9, None, &[1]),
        ];
        assert_eq!(units_of(&rows), [[3, 2, 1]]);
    }

    #[test]
    fn groups_that_share_a_tview_are_one_unit() {
        let rows: [Row; 5] = [
            (1, 9, Some("a"), &[5]),
            (2, 9, Some("b"), &[5]),
            (3, 9, Some("c"), &[21]),
            (4, 9, Some("c"), &[21]),
            (5, 9, None, &[21]),
        ];
        assert_eq!(units_of(&rows), [vec![5, 1, 2], vec![3, 4]]);
    }

    #[test]
    fn tviews_of_another_owner_are_left_out() {
        let rows: [Row; 4] = [
            (1, 9, Some("shop"), &[4]),
            (2, 8, Some("shop"), &[21]),
            (3, 9, Some("shop"), &[21]),
            (4, 8, None, &[21]),
        ];
        assert_eq!(units_of(&rows), [[1, 3]]);
    }
}
