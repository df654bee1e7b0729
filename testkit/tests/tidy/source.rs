//! The workspace's Rust files, and what a line of them is.

use std::path::{Path, PathBuf};

pub(crate) struct Source {
    /// From the root of the workspace.
    pub(crate) path: String,
    pub(crate) lines: Vec<String>,
    pub(crate) is_test: bool,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// All of them, in the order of their names.
pub(crate) fn sources() -> Vec<Source> {
    let root = root();
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let read = |file: PathBuf| {
        let path = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let lines = std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect();
        let is_test = path.split('/').any(|part| part == "tests" || part == "tests.rs");
        Source { path, lines, is_test }
    };
    let mut sources: Vec<Source> = files.into_iter().map(read).collect();
    let named: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        source.is_test |= named.contains(&source.path);
    }
    assert!(sources.len() > 100, "these are not all files");
    sources
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

impl Source {
    /// The files that this one names as modules for tests only.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.rsplit_once('/') {
            Some((folder, "lib.rs" | "main.rs" | "mod.rs")) => folder,
            _ => self.path.trim_end_matches(".rs"),
        };
        let mut only_tests = false;
        let mut files = Vec::new();
        for line in &self.lines {
            let module = line.trim().strip_suffix(';').and_then(|line| line.rsplit_once("mod "));
            match module {
                Some((_, name)) if only_tests => files.push(format!("{folder}/{name}.rs")),
                _ => {}
            }
            let attribute = line.trim().starts_with("#[");
            only_tests = line.trim() == "#[cfg(test)]" || attribute && only_tests;
        }
        files
    }

    /// Lines of code, with their place (from 0): no comments, no test module.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &String)> {
        let tests = self.lines.windows(2).position(|pair| {
            pair[0].trim() == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{')
        });
        let lines = self.lines.iter().take(tests.unwrap_or(usize::MAX)).enumerate();
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Where and what, for a report.
    pub(crate) fn at(&self) -> impl Fn((usize, &String)) -> String {
        |(number, line)| format!("{}:{}: {}", self.path, number + 1, line.trim())
    }

    /// Whether a loop begins above the line, further out, inside the same function.
    pub(crate) fn is_in_a_loop(&self, number: usize) -> bool {
        let depth = |line: &str| line.len() - line.trim_start().len();
        let mut inside = depth(&self.lines[number]);
        for line in self.lines[..number].iter().rev().filter(|line| !line.trim().is_empty()) {
            if depth(line) >= inside {
                continue;
            }
            inside = depth(line);
            let code = line.trim_start();
            if ["loop ", "while ", "for "].iter().any(|word| code.starts_with(word)) {
                return true;
            }
            if code.contains("fn ") {
                return false;
            }
        }
        false
    }

    /// Whether a comment in the line or the two above has one of the words.
    pub(crate) fn says(&self, number: usize, words: &[&str]) -> bool {
        let near = &self.lines[number.saturating_sub(2)..=number];
        let comments = near.iter().filter_map(|line| line.split_once("//").map(|(_, comment)| comment));
        comments.into_iter().any(|comment| words.iter().any(|word| comment.contains(word)))
    }

    /// Names of metrics that stand in the line: in a macro's call that may go on in the next,
    /// or as a constant of a file of metrics.
    pub(crate) fn metric_names(&self, number: usize, line: &str) -> Vec<String> {
        let next = self.lines.get(number + 1).map_or("", String::as_str);
        let both = format!("{line} {}", next.trim_start());
        let mut names = Vec::new();
        for call in ["counter!(", "gauge!(", "histogram!("] {
            for (place, _) in line.match_indices(call) {
                names.extend(literal(&both[place + call.len()..]));
            }
        }
        let constant = self.path.ends_with("metrics.rs") && line.contains("const ");
        if let Some((_, value)) = line.split_once(": &str = ").filter(|_| constant) {
            names.extend(literal(value));
        }
        names
    }
}

/// The string literal that the text begins with.
fn literal(text: &str) -> Option<String> {
    let text = text.trim_start().strip_prefix('"')?;
    text.split_once('"').map(|(name, _)| name.to_owned())
}
