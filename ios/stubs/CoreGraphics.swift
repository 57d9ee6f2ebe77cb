// Compile-only stub of Core Graphics, as documented for iOS 17. CGRect, CGSize and CGFloat are in
// Foundation on Linux.
@_exported import CFStubs

public class CGColorSpace {
  public init?(name: CFString) {}
  public static var sRGB: CFString { stub() }
  public var model: CGColorSpaceModel { stub() }
}

public enum CGColorSpaceModel: Int32, Sendable { case unknown, monochrome, rgb }

public enum CGImageAlphaInfo: UInt32, Sendable {
  case none, premultipliedLast, premultipliedFirst, last, first, noneSkipLast, noneSkipFirst
}

public struct CGBitmapInfo: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let byteOrder32Little = CGBitmapInfo(rawValue: 2 << 12)
}

public enum CGInterpolationQuality: Int32, Sendable { case `default`, none, low, medium, high }

public class CGImage {
  init() {}
  public var width: Int { stub() }
  public var height: Int { stub() }
  public var colorSpace: CGColorSpace? { stub() }
}

public class CGContext {
  public init?(
    data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int,
    bytesPerRow: Int, space: CGColorSpace, bitmapInfo: UInt32
  ) {}
  public var interpolationQuality: CGInterpolationQuality = .default
  public func draw(_ image: CGImage, in rect: CGRect) {}
}
