// expect: cannot convert value of type 'CGImageAlphaInfo' to expected argument type 'UInt32'
import CoreGraphics

func bitmap(_ space: CGColorSpace) -> CGContext? {
  CGContext(
    data: nil, width: 1, height: 1, bitsPerComponent: 8, bytesPerRow: 4, space: space,
    bitmapInfo: CGImageAlphaInfo.noneSkipLast)
}
