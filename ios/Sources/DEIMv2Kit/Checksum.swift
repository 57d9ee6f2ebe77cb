import Foundation

#if canImport(CryptoKit)
  import CryptoKit
#endif

/// SHA-256 of artifacts, as `model/files.py` computes it.
enum Checksum {
  /// Gives back `url`. Throws missingFile or changedFile.
  static func require(_ url: URL, sha256 expected: String) throws(DEIMv2Error) -> URL {
    guard FileManager.default.fileExists(atPath: url.path) else {
      throw .missingFile(path: url.path, sha256: expected)
    }
    let found = try sha256(of: url)
    guard found == expected else {
      throw .changedFile(path: url.path, found: found, expected: expected)
    }
    return url
  }

  /// Of a file; of a folder (an `.mlpackage`), over its files in the order of their paths, each as its
  /// relative path in UTF-8, a zero byte, its length in 8 bytes (big-endian) and its content.
  static func sha256(of url: URL) throws(DEIMv2Error) -> String {
    var hash = SHA256()
    do {
      guard isFolder(url) else {
        try update(&hash, with: url)
        return hex(hash)
      }
      let below = FileManager.default.enumerator(atPath: url.path)?.allObjects as? [String] ?? []
      let files = below.filter { !isFolder(url.appending(path: $0)) }
      for path in files.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
        let file = url.appending(path: path)
        let size =
          try FileManager.default.attributesOfItem(atPath: file.path)[.size] as? UInt64 ?? 0
        hash.update(data: Data(path.utf8) + [0])
        hash.update(data: withUnsafeBytes(of: size.bigEndian) { Data($0) })
        try update(&hash, with: file)
      }
    } catch {
      throw .unreadable(path: url.path, reason: error.localizedDescription)
    }
    return hex(hash)
  }

  private static func update(_ hash: inout SHA256, with file: URL) throws {
    let handle = try FileHandle(forReadingFrom: file)
    defer { try? handle.close() }
    while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
      hash.update(data: chunk)
    }
  }

  private static func hex(_ hash: SHA256) -> String {
    hash.finalize().map { String(format: "%02x", $0) }.joined()
  }

  private static func isFolder(_ url: URL) -> Bool {
    var folder: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &folder)
      && folder.boolValue
  }
}
