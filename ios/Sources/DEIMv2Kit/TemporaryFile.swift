import Foundation

/// A file that is deleted with its last user, also when writing it fails or is stopped.
public final class TemporaryFile: Sendable {
  public let url: URL

  /// A new name in `folder`; nothing is written yet.
  public init(
    extension ending: String, in folder: URL = FileManager.default.temporaryDirectory
  ) {
    url = folder.appending(path: "\(UUID().uuidString).\(ending)")
  }

  deinit { try? FileManager.default.removeItem(at: url) }
}

/// A picture's size, shrunk to `longest` where it is larger, and even: in the 4:2:0 of most videos, two
/// pixels share a colour.
public func evenSize(width: Int, height: Int, longest: Int) -> (width: Int, height: Int) {
  let side = max(width, height)
  let shrunk = min(side, longest)
  func even(_ length: Int) -> Int { max(2, length * shrunk / side & ~1) }
  return (even(width), even(height))
}
