/// Lets failures pass until there were too many in a row.
public struct Patience: Sendable {
  private let most: Int
  private var left: Int

  /// `most`: as many in a row end it.
  public init(most: Int) { (self.most, left) = (most, most) }

  /// After a success.
  public mutating func renew() { left = most }

  /// Throws the last error, and a CancellationError at once.
  public mutating func spend(on error: any Error) throws {
    left -= 1
    if left <= 0 || error is CancellationError { throw error }
  }
}
