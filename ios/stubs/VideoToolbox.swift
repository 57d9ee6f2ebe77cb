// Compile-only stub of VideoToolbox, as documented for iOS 17.
@_exported import CoreGraphics
@_exported import CoreVideo

public class VTPixelTransferSession {}

public func VTPixelTransferSessionCreate(
  allocator: CFAllocator?, pixelTransferSessionOut: UnsafeMutablePointer<VTPixelTransferSession?>
) -> OSStatus { stub() }
public func VTPixelTransferSessionTransferImage(
  _ session: VTPixelTransferSession, from sourceBuffer: CVPixelBuffer,
  to destinationBuffer: CVPixelBuffer
) -> OSStatus { stub() }
@discardableResult public func VTCreateCGImageFromCVPixelBuffer(
  _ pixelBuffer: CVPixelBuffer, options: CFDictionary?,
  imageOut: UnsafeMutablePointer<CGImage?>
) -> OSStatus { stub() }
