//! `df`, and sizes for people.

use super::session::{Session, Trouble, quoted, refused, say};
use nacre_sftp::extensions::Statvfs;

impl Session<'_> {
    /// `df`.
    pub fn space(&self, human: bool, inodes: bool, path: Option<&[u8]>) -> Result<(), Trouble> {
        let path = path.map_or_else(|| self.folder(), |path| self.absolute(path));
        let told = self.far.remote().statvfs(&path);
        let told = told.map_err(|error| refused(&format!("remote statvfs {}", quoted(&path)), error))?;
        say(&table(&told, human, inodes))
    }
}

fn table(told: &Statvfs, human: bool, inodes: bool) -> String {
    let [_, block, blocks, free, available, files, files_free, files_available, _] = told.numbers;
    let percent = |used: u64, all: u64| match all {
        0 => "ERR".to_owned(),
        all => (u128::from(used) * 100 / u128::from(all)).to_string(),
    };
    if inodes {
        let used = files.saturating_sub(files_free);
        return format!(
            "     Inodes        Used       Avail      (root)    %Capacity\n\
             {files:>11} {used:>11} {files_available:>11} {files_free:>11}         {:>3}%",
            percent(used, files)
        );
    }
    let used = blocks.saturating_sub(free);
    let bytes = |blocks: u64| u128::from(blocks) * u128::from(block);
    let capacity = percent(used, blocks);
    if human {
        let size = |blocks| format!("{}B", scaled(bytes(blocks)).trim_end_matches('B'));
        return format!(
            "    Size     Used    Avail   (root)    %Capacity\n{:>8} {:>8} {:>8} {:>8}         {capacity:>3}%",
            size(blocks),
            size(used),
            size(available),
            size(free)
        );
    }
    let size = |blocks| bytes(blocks) / 1024;
    format!(
        "        Size         Used        Avail       (root)    %Capacity\n{:>12} {:>12} {:>12} {:>12}         {capacity:>3}%",
        size(blocks),
        size(used),
        size(available),
        size(free)
    )
}

/// A number of bytes in at most five columns: `999B`, `4.0K`, `66.5G`, `252G`; powers of 1024.
pub(super) fn scaled(bytes: u128) -> String {
    const UNITS: [char; 7] = ['B', 'K', 'M', 'G', 'T', 'P', 'E'];
    let (mut tenths, mut unit) = (bytes.saturating_mul(10), 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths = (tenths + 512) / 1024;
        unit += 1;
    }
    let letter = UNITS.get(unit).copied().unwrap_or('E');
    if unit == 0 {
        format!("{bytes}{letter}")
    } else if tenths < 1000 {
        format!("{}.{}{letter}", tenths / 10, tenths % 10)
    } else {
        format!("{}{letter}", (tenths + 5) / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fit_and_are_right() {
        for (bytes, text) in [
            (0, "0B"),
            (6, "6B"),
            (1023, "1023B"),
            (1024, "1.0K"),
            (4096, "4.0K"),
            (1536, "1.5K"),
            (1 << 20, "1.0M"),
            (71_361_183_744, "66.5G"),
            (270_553_174_016, "252G"),
            (u128::from(u64::MAX), "16.0E"),
        ] {
            assert_eq!(scaled(bytes), text);
        }
    }

    #[test]
    fn the_table_is_openssh_s() {
        let told = Statvfs {
            numbers: [4096, 4096, 66_053_021, 48_630_857, 6_399_308, 16_777_216, 16_140_722, 16_140_722, 0],
            ..Statvfs::default()
        };
        assert_eq!(
            table(&told, false, false),
            "        Size         Used        Avail       (root)    %Capacity\n   264212084     69688656     25597232    194523428          26%"
        );
        assert_eq!(
            table(&told, true, false),
            "    Size     Used    Avail   (root)    %Capacity\n   252GB   66.5GB   24.4GB    186GB          26%"
        );
        assert_eq!(
            table(&told, false, true),
            "     Inodes        Used       Avail      (root)    %Capacity\n   16777216      636494    16140722    16140722           3%"
        );
        assert!(table(&Statvfs::default(), false, false).contains("ERR%"));
    }
}
