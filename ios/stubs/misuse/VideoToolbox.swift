// expect: missing argument label 'to:' in call
import VideoToolbox

func scale(_ session: VTPixelTransferSession, _ a: CVPixelBuffer, _ b: CVPixelBuffer) -> OSStatus {
  VTPixelTransferSessionTransferImage(session, from: a, b)
}
