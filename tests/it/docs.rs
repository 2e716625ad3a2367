//! Links between the documents lead somewhere.

use std::{fs, path::Path};

#[test]
fn links_between_documents_resolve() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guides = fs::read_dir(root.join("docs")).unwrap();
    let mut documents: Vec<_> = guides.map(|entry| entry.unwrap().path()).collect();
    let top = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
    ];
    documents.extend(top.map(|name| root.join(name)));
    let mut links = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            if target.starts_with("http") {
                continue;
            }
            links += 1;
            let target = document.parent().unwrap().join(target);
            assert!(
                target.exists(),
                "{}: {}",
                document.display(),
                target.display()
            );
        }
    }
    assert!(links > 15, "{links}");
    let lines = fs::read_to_string(root.join("README.md"))
        .unwrap()
        .lines()
        .count();
    assert!(
        lines <= 200,
        "the README is read in three minutes: {lines} lines"
    );
}
