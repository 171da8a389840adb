//! Covering arrays: few rows in which every two values of different columns meet.

use std::collections::BTreeSet;

/// Two values of two columns: (column, value), (column, value), the lower column first.
type Pair = ((usize, usize), (usize, usize));

/// Rows of value numbers, one per column of `sizes`, so that every pair of values that `meets`
/// says can meet stands together in a row. `counts(row, column)` says whether the column's value
/// has any effect in that row: where it has none, the row covers no pair with it.
pub fn cover(sizes: &[usize], counts: impl Fn(&[usize], usize) -> bool) -> Vec<Vec<usize>> {
    let mut missing = BTreeSet::new();
    for row in product(sizes) {
        missing.extend(pairs(&row, &counts));
    }
    let mut rows = Vec::new();
    while let Some(first) = missing.first().copied() {
        let row = best_row(sizes, first, &missing, &counts);
        for pair in pairs(&row, &counts) {
            missing.remove(&pair);
        }
        rows.push(row);
    }
    rows
}

/// All rows.
pub fn product(sizes: &[usize]) -> Vec<Vec<usize>> {
    sizes.iter().fold(vec![Vec::new()], |rows, size| {
        rows.iter().flat_map(|row| (0..*size).map(|value| [row.as_slice(), &[value]].concat())).collect()
    })
}

fn pairs(row: &[usize], counts: &impl Fn(&[usize], usize) -> bool) -> Vec<Pair> {
    let real: Vec<(usize, usize)> =
        row.iter().copied().enumerate().filter(|(column, _)| counts(row, *column)).collect();
    let mut found = Vec::new();
    for (place, left) in real.iter().enumerate() {
        found.extend(real[place + 1..].iter().map(|right| (*left, *right)));
    }
    found
}

/// A row with the pair `first` that covers much of what is missing: each further column takes the
/// value that covers most with what stands.
fn best_row(
    sizes: &[usize],
    first: Pair,
    missing: &BTreeSet<Pair>,
    counts: &impl Fn(&[usize], usize) -> bool,
) -> Vec<usize> {
    let mut row = vec![0; sizes.len()];
    let (left, right) = first;
    row[left.0] = left.1;
    row[right.0] = right.1;
    let fixed = |column: usize| column == left.0 || column == right.0;
    let score = |row: &[usize]| {
        let covered = pairs(row, counts);
        (covered.contains(&first), covered.iter().filter(|pair| missing.contains(pair)).count())
    };
    // Twice: what the first round chose for the last columns can better the choice for the first.
    for _ in 0..2 {
        for column in (0..sizes.len()).filter(|column| !fixed(*column)) {
            let with = |value: usize| {
                let mut row = row.clone();
                row[column] = value;
                score(&row)
            };
            let best = (0..sizes[column]).max_by_key(|value| with(*value));
            row[column] = best.unwrap_or(row[column]);
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_that_counts_is_covered_in_far_fewer_rows() {
        let sizes = [9, 6, 4, 6, 6];
        // As with ciphers that need no MAC: the third column counts only with some of the second.
        let counts = |row: &[usize], column: usize| column != 2 || row[1] >= 3;
        let rows = cover(&sizes, counts);
        let wanted: BTreeSet<Pair> = product(&sizes).iter().flat_map(|row| pairs(row, &counts)).collect();
        let got: BTreeSet<Pair> = rows.iter().flat_map(|row| pairs(row, &counts)).collect();
        assert_eq!(got, wanted);
        assert!(!wanted.contains(&((1, 0), (2, 0))) && wanted.contains(&((1, 3), (2, 0))));
        assert!(rows.len() < 80, "{} rows", rows.len());
    }

    #[test]
    fn one_column_is_refused_nothing_and_covers_nothing() {
        assert_eq!(cover(&[3], |_, _| true), Vec::<Vec<usize>>::new());
        assert_eq!(product(&[2, 2]).len(), 4);
    }
}
