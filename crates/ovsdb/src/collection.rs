//! The sets and maps of columns: sorted, compact, and equal when their members are. A set of one,
//! by far the most frequent, needs no memory of its own beside its atom's; others are one slice.

use std::cmp::Ordering;
use std::fmt;

use crate::value::Atom;

/// A set of atoms, in order.
#[derive(Clone)]
pub struct Set(Members);

#[derive(Clone)]
enum Members {
    One([Atom; 1]),
    Slice(Box<[Atom]>),
}

impl Set {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self(Members::Slice(Box::default()))
    }

    /// The members in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Atom] {
        match &self.0 {
            Members::One(one) => one,
            Members::Slice(slice) => slice,
        }
    }

    /// The members in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Atom> {
        self.as_slice().iter()
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// The least member.
    #[must_use]
    pub fn first(&self) -> Option<&Atom> {
        self.as_slice().first()
    }

    /// Is a member.
    #[must_use]
    pub fn contains(&self, atom: &Atom) -> bool {
        self.as_slice().binary_search(atom).is_ok()
    }

    /// Adds a member; `false`: it was there. Costs a copy of the set.
    pub fn insert(&mut self, atom: Atom) -> bool {
        let absent = !self.contains(&atom);
        if absent {
            self.extend([atom]);
        }
        absent
    }

    /// Takes a member out; `false`: it was not there. Costs a copy of the set.
    pub fn remove(&mut self, atom: &Atom) -> bool {
        let before = self.len();
        self.retain(|member| member != atom);
        self.len() < before
    }

    /// Keeps those members that `keep` says.
    pub fn retain(&mut self, keep: impl FnMut(&Atom) -> bool) {
        let mut members = std::mem::take(self).into_vec();
        members.retain(keep);
        *self = Self::from_sorted(members);
    }

    /// The members of only one of both. Costs one walk over both.
    #[must_use]
    pub fn symmetric_difference(&self, other: &Self) -> Self {
        let mut members = Vec::with_capacity(self.len() + other.len());
        walk(self.as_slice(), other.as_slice(), Atom::cmp, |left, right| match (left, right) {
            (Some(one), None) | (None, Some(one)) => members.push(one.clone()),
            _ => {}
        });
        Self::from_sorted(members)
    }

    fn into_vec(self) -> Vec<Atom> {
        match self.0 {
            Members::One(one) => Vec::from(one),
            Members::Slice(slice) => slice.into_vec(),
        }
    }

    fn from_sorted(members: Vec<Atom>) -> Self {
        Self(match <[Atom; 1]>::try_from(members) {
            Ok(one) => Members::One(one),
            Err(members) => Members::Slice(members.into_boxed_slice()),
        })
    }
}

impl From<Atom> for Set {
    fn from(atom: Atom) -> Self {
        Self(Members::One([atom]))
    }
}

impl FromIterator<Atom> for Set {
    fn from_iter<I: IntoIterator<Item = Atom>>(atoms: I) -> Self {
        let mut members: Vec<Atom> = atoms.into_iter().collect();
        members.sort_unstable();
        members.dedup();
        Self::from_sorted(members)
    }
}

impl Extend<Atom> for Set {
    fn extend<I: IntoIterator<Item = Atom>>(&mut self, atoms: I) {
        *self = std::mem::take(self).into_iter().chain(atoms).collect();
    }
}

impl IntoIterator for Set {
    type Item = Atom;
    type IntoIter = std::vec::IntoIter<Atom>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_vec().into_iter()
    }
}

impl<'a> IntoIterator for &'a Set {
    type Item = &'a Atom;
    type IntoIter = std::slice::Iter<'a, Atom>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Visits the members of two sorted slices in order, equal ones together.
pub(crate) fn walk<'a, T>(
    mut left: &'a [T],
    mut right: &'a [T],
    order: impl Fn(&T, &T) -> Ordering,
    mut visit: impl FnMut(Option<&'a T>, Option<&'a T>),
) {
    loop {
        let next = match (left.first(), right.first()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => order(a, b),
        };
        let take = |from: &mut &'a [T], taken: bool| {
            let (first, rest) = from.split_first().filter(|_| taken)?;
            *from = rest;
            Some(first)
        };
        let from_left = take(&mut left, next.is_le());
        let from_right = take(&mut right, next.is_ge());
        visit(from_left, from_right);
    }
}

/// A map from atoms to atoms, in the order of its keys.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Map(Box<[(Atom, Atom)]>);

impl Map {
    /// The empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &Atom) -> Option<&Atom> {
        self.find(|member| member.cmp(key))
    }

    /// The value under a text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&Atom> {
        self.find(|member| match member {
            Atom::String(text) => text.as_ref().cmp(key),
            other => other.cmp(&Atom::from(key)),
        })
    }

    /// There is a value under this key.
    #[must_use]
    pub fn contains_key(&self, key: &Atom) -> bool {
        self.get(key).is_some()
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Atom, &Atom)> + DoubleEndedIterator {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Atom> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Atom> {
        self.0.iter().map(|(_, value)| value)
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a value under a key; what was there. Costs a copy of the map.
    pub fn insert(&mut self, key: Atom, value: Atom) -> Option<Atom> {
        let before = self.remove(&key);
        self.extend([(key, value)]);
        before
    }

    /// Takes a pair out; its value. Costs a copy of the map.
    pub fn remove(&mut self, key: &Atom) -> Option<Atom> {
        let at = self.0.binary_search_by(|(member, _)| member.cmp(key)).ok()?;
        let mut pairs = std::mem::take(self).0.into_vec();
        let (_, value) = pairs.remove(at);
        self.0 = pairs.into_boxed_slice();
        Some(value)
    }

    /// Keeps those pairs that `keep` says.
    pub fn retain(&mut self, mut keep: impl FnMut(&Atom, &Atom) -> bool) {
        let mut pairs = std::mem::take(self).0.into_vec();
        pairs.retain(|(key, value)| keep(key, value));
        self.0 = pairs.into_boxed_slice();
    }

    /// The map after a difference: a pair that is the same in both goes, any other of the
    /// difference is put in. Costs one walk over both.
    #[must_use]
    pub fn patched(&self, difference: &Self) -> Self {
        let mut pairs = Vec::with_capacity(self.len() + difference.len());
        let order = |left: &(Atom, Atom), right: &(Atom, Atom)| left.0.cmp(&right.0);
        walk(&self.0, &difference.0, order, |left, right| match (left, right) {
            (Some(old), Some(new)) if old.1 == new.1 => {}
            (_, Some(pair)) | (Some(pair), None) => pairs.push(pair.clone()),
            (None, None) => {}
        });
        Self(pairs.into_boxed_slice())
    }

    fn find(&self, order: impl Fn(&Atom) -> Ordering) -> Option<&Atom> {
        let at = self.0.binary_search_by(|(member, _)| order(member)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }
}

/// Of several values under one key the last counts.
impl FromIterator<(Atom, Atom)> for Map {
    fn from_iter<I: IntoIterator<Item = (Atom, Atom)>>(pairs: I) -> Self {
        let mut pairs: Vec<(Atom, Atom)> = pairs.into_iter().collect();
        pairs.reverse();
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        pairs.dedup_by(|(a, _), (b, _)| a == b);
        Self(pairs.into_boxed_slice())
    }
}

impl Extend<(Atom, Atom)> for Map {
    fn extend<I: IntoIterator<Item = (Atom, Atom)>>(&mut self, pairs: I) {
        *self = std::mem::take(self).into_iter().chain(pairs).collect();
    }
}

impl IntoIterator for Map {
    type Item = (Atom, Atom);
    type IntoIter = std::vec::IntoIter<(Atom, Atom)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Set {}

impl PartialOrd for Set {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Set {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self).finish()
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn a_scalar_takes_no_more_room_than_its_atom() {
        assert_eq!(size_of::<Atom>(), 24);
        assert_eq!(size_of::<crate::value::Datum>(), 24);
    }

    proptest! {
        #[test]
        fn a_set_behaves_as_a_tree_does(
            steps in prop::collection::vec((any::<bool>(), 0_i64..6), 0..40),
        ) {
            let (mut set, mut tree) = (Set::new(), BTreeSet::new());
            for (add, number) in steps {
                let atom = Atom::Integer(number);
                if add {
                    prop_assert_eq!(set.insert(atom.clone()), tree.insert(atom));
                } else {
                    prop_assert_eq!(set.remove(&atom), tree.remove(&atom));
                }
                prop_assert!(set.iter().eq(tree.iter()));
            }
        }

        #[test]
        fn what_differs_is_in_one_of_both(
            left in prop::collection::btree_set(0_i64..9, 0..9),
            right in prop::collection::btree_set(0_i64..9, 0..9),
        ) {
            let set = |numbers: &BTreeSet<i64>| numbers.iter().copied().map(Atom::from).collect();
            let (one, other): (Set, Set) = (set(&left), set(&right));
            prop_assert_eq!(one.symmetric_difference(&other), set(&(&left ^ &right)));
        }

        #[test]
        fn a_map_behaves_as_a_tree_does(
            steps in prop::collection::vec((any::<bool>(), 0_i64..6, 0_i64..3), 0..40),
        ) {
            let (mut map, mut tree) = (Map::new(), BTreeMap::new());
            for (add, key, value) in steps {
                let (key, value) = (Atom::Integer(key), Atom::Integer(value));
                if add {
                    let before = map.insert(key.clone(), value.clone());
                    prop_assert_eq!(before, tree.insert(key, value));
                } else {
                    prop_assert_eq!(map.remove(&key), tree.remove(&key));
                }
                prop_assert!(map.iter().eq(tree.iter()));
            }
            let other: Map = map.iter().take(2).map(|(k, _)| (k.clone(), Atom::from(1))).collect();
            let mut patched = tree.clone();
            for (key, value) in &tree {
                match other.get(key) {
                    Some(new) if new == value => drop(patched.remove(key)),
                    Some(new) => drop(patched.insert(key.clone(), new.clone())),
                    None => {}
                }
            }
            prop_assert!(map.patched(&other).iter().eq(patched.iter()));
            let pairs: Vec<_> = tree.clone().into_iter().rev().collect();
            prop_assert_eq!(pairs.into_iter().collect::<Map>(), map);
        }
    }
}
