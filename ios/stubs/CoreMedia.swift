// Compile-only stub of Core Media, as documented for iOS 17.
@_exported import CoreVideo

public class CMSampleBuffer {
  public var imageBuffer: CVImageBuffer? { stub() }
}
