//! What a text leaves out so that it fits: [`Cut`], and the search for the mildest, [`fit`].

/// What is shown of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// The last lines of output of each item.
    pub(super) tail: usize,
    /// The items that are shown, not only named.
    pub(super) items: usize,
    /// All facts; otherwise why and now.
    pub(super) all_facts: bool,
    /// The names of further items; the others are counted.
    pub(super) names: usize,
    /// Notes, links and the command to acknowledge.
    pub(super) surroundings: bool,
}

/// The items that are shown for as long as anything but the title is.
const ITEMS_KEPT: usize = 3;

/// The cuts of a card with this number of items and lines of output, from the mildest to the title alone.
pub(super) fn cuts(items: usize, tail: usize) -> Vec<Cut> {
    let mut cut = Cut { tail, items, all_facts: true, names: items, surroundings: true };
    let mut cuts = vec![cut];
    for tail in (0..tail).rev() {
        cut.tail = tail;
        cuts.push(cut);
    }
    for items in (ITEMS_KEPT..items).rev() {
        cut.items = items;
        cuts.push(cut);
    }
    cut.all_facts = false;
    cuts.push(cut);
    for names in (0..items.saturating_sub(cut.items)).rev() {
        cut.names = names;
        cuts.push(cut);
    }
    for items in (0..cut.items).rev() {
        cut.items = items;
        cut.names = 0;
        cuts.push(cut);
    }
    cuts.push(title_alone());
    cuts
}

/// Leaves the title.
pub(super) const fn title_alone() -> Cut {
    Cut { tail: 0, items: 0, all_facts: false, names: 0, surroundings: false }
}

/// What `render` makes of the mildest cut that `fits`; of the last one where none does. `cuts` is never empty.
pub(super) fn fit<T>(cuts: &[Cut], render: impl Fn(&Cut) -> T, fits: impl Fn(&T) -> bool) -> T {
    let whole = render(&cuts[0]);
    if fits(&whole) || cuts.len() == 1 {
        return whole;
    }
    let first = cuts[1..].partition_point(|cut| !fits(&render(cut))) + 1;
    // A stronger cut can be longer by a few characters, such as those that introduce the names.
    let mut last = render(&cuts[first.min(cuts.len() - 1)]);
    for cut in cuts.iter().skip(first + 1) {
        if fits(&last) {
            break;
        }
        last = render(cut);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_first_then_items_facts_and_names() {
        let cuts = cuts(5, 2);
        let row = |cut: &Cut| (cut.tail, cut.items, cut.all_facts, cut.names.min(5 - cut.items));
        assert_eq!(
            cuts.iter().map(row).collect::<Vec<_>>(),
            [
                (2, 5, true, 0),
                (1, 5, true, 0),
                (0, 5, true, 0),
                (0, 4, true, 1),
                (0, 3, true, 2),
                (0, 3, false, 2),
                (0, 3, false, 1),
                (0, 3, false, 0),
                (0, 2, false, 0),
                (0, 1, false, 0),
                (0, 0, false, 0),
                (0, 0, false, 0),
            ]
        );
    }

    #[test]
    fn the_mildest_cut_that_fits_is_taken_and_the_last_where_none_does() {
        let cuts = cuts(10, 30);
        let size = |cut: &Cut| {
            cut.tail * 10 + cut.items * 5 + cut.names.min(10 - cut.items) + usize::from(cut.all_facts)
        };
        let fitted = |limit: usize| fit(&cuts, |cut| (*cut, size(cut)), |(_, size)| *size <= limit);
        assert_eq!(fitted(1000).0, cuts[0]);
        assert_eq!(fitted(200).0.tail, 14);
        assert_eq!((fitted(40).0.tail, fitted(40).0.items), (0, 7));
        let none = fit(&cuts, |cut| *cut, |_| false);
        assert_eq!(none, title_alone());
    }
}
