// Compile-only stub of CryptoKit, as documented for iOS 17.
@_exported import Foundation

public struct SHA256 {
  public init() {}
  public mutating func update(data: some DataProtocol) {}
  public func finalize() -> SHA256Digest { SHA256Digest() }
}

public struct SHA256Digest: Sequence {
  public func makeIterator() -> Array<UInt8>.Iterator { [].makeIterator() }
}
