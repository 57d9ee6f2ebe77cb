// Compile-only stub of Core Media, as documented for iOS 17.
@_exported import CoreVideo

public struct CMTime: Sendable { public var seconds: Double { stub() } }

public class CMSampleBuffer {
  public var presentationTimeStamp: CMTime { stub() }
  public var imageBuffer: CVImageBuffer? { stub() }
}
