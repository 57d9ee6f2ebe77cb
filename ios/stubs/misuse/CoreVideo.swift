// expect: value of optional type 'UnsafeMutableRawPointer?' must be unwrapped
import CoreVideo

func first(_ buffer: CVPixelBuffer) -> UInt8 {
  CVPixelBufferGetBaseAddress(buffer).load(as: UInt8.self)
}
